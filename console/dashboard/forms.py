"""Forms of the pages that make something. They gather text; the catalogue's shapes decide what is right."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from agents.catalogue import (
    parse_operation,
)
from agents.shapes import Misfit
from console.access.actors import Actor
from console.hosts.models import Host
from console.inventory import queries

_PORT = re.compile(
    r"(?:(?:(?P<ip>\[[0-9a-fA-F:]+\]|[0-9.]+):)?(?P<host>\d*):)?"  # docker's own notation: [[IP:]HOST:]
    r"(?P<container>\d+)(?:/(?P<protocol>\w+))?"
)


class AskForm(forms.Form):
    """A form that ends in one operation on one host: `ask` holds the typed parameters once it is valid."""

    kind: str
    # The form's field for a parameter of the catalogue whose name differs.
    fields_of_params: dict[str, str] = {}

    host = forms.ModelChoiceField(Host.objects.none(), empty_label=None)

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ask: Any = None
        host = self.fields["host"]
        assert isinstance(host, forms.ModelChoiceField)
        host.queryset = queries.hosts(actor)

    def params(self, data: dict[str, Any]) -> dict[str, Any]:
        """The operation's parameters as JSON. May raise ValidationError for what is not even text of that form."""
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if self.errors:
            return data
        try:
            self.ask = parse_operation(self.kind, self.params(data))
        except Misfit as misfit:
            raise ValidationError(self._placed(misfit)) from misfit
        return data

    def _placed(self, misfit: Misfit) -> dict[str, list[str]]:
        """Each sentence beside the field it is about."""
        placed: dict[str, list[str]] = {}
        for path, text in misfit.errors.items():
            name, _, rest = path.partition(".")
            name = self.fields_of_params.get(name, name)
            name = name if name in self.fields else "__all__"
            index = rest.partition(".")[0]
            which = f"Line {int(index) + 1} " if index.isdigit() else ""
            placed.setdefault(name, []).append(f"{which}{text}." if which else f"{text[:1].upper()}{text[1:]}.")
        return placed


class CreateContainerForm(AskForm):
    kind = "container.create"
    fields_of_params = {"restart_policy": "restart_policy"}

    image = forms.CharField(max_length=512)
    name = forms.CharField(max_length=200, required=False)
    command = forms.CharField(max_length=4000, required=False)
    env = forms.CharField(widget=forms.Textarea, max_length=200_000, required=False)
    ports = forms.CharField(widget=forms.Textarea, max_length=10_000, required=False)
    mounts = forms.CharField(widget=forms.Textarea, max_length=50_000, required=False)
    networks = forms.CharField(widget=forms.Textarea, max_length=10_000, required=False)
    labels = forms.CharField(widget=forms.Textarea, max_length=100_000, required=False)
    restart_policy = forms.ChoiceField(
        choices=[(name, name) for name in ("no", "unless-stopped", "always", "on-failure")], initial="no"
    )
    start = forms.BooleanField(required=False, initial=True)

    def params(self, data: dict[str, Any]) -> dict[str, Any]:
        wrong: dict[str, list[str]] = {}

        def read(field: str, reading: Callable[[], Any], otherwise: Any) -> Any:
            """All fields are read before what is wrong is said, so that nobody mends one a time."""
            try:
                return reading()
            except ValidationError as error:
                wrong[field] = error.messages
                return otherwise

        params: dict[str, Any] = {
            "image": data["image"],
            "env": read("env", lambda: self._pairs("env"), {}),
            "labels": read("labels", lambda: self._pairs("labels"), {}),
            "ports": read("ports", lambda: [self._port(*line) for line in self._lines("ports")], []),
            "mounts": read("mounts", lambda: [self._mount(*line) for line in self._lines("mounts")], []),
            "networks": [{"network": line} for _, line in self._lines("networks")],
            "restart_policy": {"name": data["restart_policy"]},
            "start": data["start"],
        }
        if data["name"]:
            params["name"] = data["name"]
        if data["command"]:
            params["command"] = read("command", self._command, [])
        if wrong:
            try:
                parse_operation(self.kind, params)
            except Misfit as misfit:
                wrong = {**self._placed(misfit), **wrong}
            raise ValidationError(wrong)
        return params

    def _command(self) -> list[str]:
        try:
            return shlex.split(self.cleaned_data["command"])
        except ValueError as error:
            raise ValidationError("A quote is not closed. Close it, or put a backslash before it.") from error

    def _lines(self, field: str) -> list[tuple[int, str]]:
        lines = enumerate(self.cleaned_data[field].splitlines(), 1)
        return [(number, line.strip()) for number, line in lines if line.strip()]

    def _pairs(self, field: str) -> dict[str, str]:
        pairs: dict[str, str] = {}
        for number, line in self._lines(field):
            name, separator, value = line.partition("=")
            if not separator or not name:
                raise ValidationError(f"Line {number} must be NAME=value.")
            pairs[name] = value
        return pairs

    def _port(self, number: int, line: str) -> dict[str, Any]:
        match = _PORT.fullmatch(line)
        if match is None:
            raise ValidationError(f"Line {number} must be such as 8080:80, 127.0.0.1:8080:80 or 53/udp.")
        port: dict[str, Any] = {"container_port": int(match["container"]), "protocol": match["protocol"] or "tcp"}
        if match["host"]:
            port["host_port"] = int(match["host"])
        if match["ip"]:
            port["host_ip"] = match["ip"].strip("[]")
        return port

    def _mount(self, number: int, line: str) -> dict[str, Any]:
        source, separator, rest = line.partition(":")
        if not separator:
            return {"type": "volume", "target": source}
        target, _, mode = rest.partition(":")
        if mode not in ("", "ro", "rw"):
            raise ValidationError(f"Line {number} must be SOURCE:TARGET, or SOURCE:TARGET:ro.")
        kind = "bind" if source.startswith("/") else "volume"
        return {"type": kind, "source": source, "target": target, "read_only": mode == "ro"}


class PullImageForm(AskForm):
    kind = "image.pull"

    reference = forms.CharField(max_length=512)

    def params(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"reference": data["reference"]}


class CreateNetworkForm(AskForm):
    kind = "network.create"

    name = forms.CharField(max_length=200)
    driver = forms.CharField(max_length=255, initial="bridge")
    subnet = forms.CharField(max_length=49, required=False)
    gateway = forms.CharField(max_length=45, required=False)
    internal = forms.BooleanField(required=False)
    attachable = forms.BooleanField(required=False)

    def params(self, data: dict[str, Any]) -> dict[str, Any]:
        return {name: data[name] for name in ("name", "driver", "subnet", "gateway", "internal", "attachable")}


class CreateVolumeForm(AskForm):
    kind = "volume.create"

    name = forms.CharField(max_length=255)
    driver = forms.CharField(max_length=255, initial="local")

    def params(self, data: dict[str, Any]) -> dict[str, Any]:
        return {name: data[name] for name in ("name", "driver")}


class RenameHostForm(forms.Form):
    name = forms.CharField(max_length=100)


class CreateTokenForm(forms.Form):
    """A REST token of one's own."""

    name = forms.RegexField(
        r"[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*", max_length=100, help_text="Such as the program that uses it."
    )
    valid_days = forms.TypedChoiceField(
        label="Valid for",
        coerce=int,
        initial=90,
        choices=[(7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "a year"), (0, "until it is revoked")],
    )
