"""The house style's parts as template tags: each parses its arguments and renders one small partial."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from django import template
from django.forms import BoundField, CheckboxInput, RadioSelect, Select, Textarea
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from console.dashboard import amounts, states

register = template.Library()

LOOPBACK = ("127.", "::1")
ONE_VALUE = ("image", "network", "volume")  # filters that take a part of a text
# Filters that are a sentence by themselves, as their chips say it; the second for 'false'.
FLAG_WORDS = {
    "problem": ("with a problem", "without a problem"),
    "failed": ("exited with an error", "ended well, or not ended"),
    "dangling": ("untagged", "tagged"),
}
HTTPS_PORTS = {443, 8443, 9443}


# --- icons and states ----------------------------------------------------------------------


@register.simple_tag
def icon(name: str, size: int = 16, css: str = "") -> SafeString:
    """`{% icon "server-2" size=14 css="g-c-bad" %}`; names stand in static/icons.txt."""
    sized = "" if size == 16 else f" g-icon-{size}"
    return format_html(
        '<svg class="g-icon{}{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        sized,
        f" {css}" if css else "",
        static("vendor/icons.svg"),
        name,
    )


def _state(look: states.Look) -> SafeString:
    return format_html(
        '<span class="g-state g-state-{}">{}<span class="g-cut">{}</span></span>',
        look.tone,
        icon(look.icon, css="g-spin" if look.spins else ""),
        look.word,
    )


def _badge(look: states.Look) -> SafeString:
    return format_html(
        '<span class="g-badge g-badge-{}">{}{}</span>',
        look.tone,
        icon(look.icon, 14, "g-spin" if look.spins else ""),
        look.word,
    )


def look_of(thing: Any, running: Any = None) -> states.Look:
    """The look of a container, a host, an operation or a problem; what it is shows in its fields.

    `running`: the operation that is under way on a container, or such operations by the container's id.
    """
    if hasattr(thing, "restart_count"):
        operation = running.get(thing.pk) if isinstance(running, Mapping) else running
        since = operation and (operation.started_at or operation.requested_at)
        return states.container_look(
            thing.state,
            thing.health,
            thing.exit_code,
            is_known=thing.host.is_online and not thing.host.engine_error,
            operation=operation.kind if operation else "",
            operation_s=int((timezone.now() - since).total_seconds()) if since else None,
        )
    if hasattr(thing, "deadline_at"):
        return states.operation_look(thing.state)
    if hasattr(thing, "cause"):
        return states.problem_look(thing.state, thing.label)
    return states.host_look(thing.is_online, thing.engine_error)


@register.simple_tag
def state(thing: Any, running: Any = None) -> SafeString:
    """Icon and word, for a row."""
    return _state(look_of(thing, running))


@register.simple_tag
def state_badge(thing: Any, running: Any = None) -> SafeString:
    """The same on a tint, for the head of a page."""
    return _badge(look_of(thing, running))


@register.filter
def look(thing: Any) -> states.Look:
    return look_of(thing)


@register.simple_tag
def state_icon(thing: Any, size: int = 14) -> SafeString:
    """The icon alone, where the sentence beside it says the word."""
    shown = look_of(thing)
    tone = {"busy": "accent", "begin": "accent"}.get(shown.tone, shown.tone)
    return icon(shown.icon, size, f"g-c-{tone}" + (" g-spin" if shown.spins else ""))


@register.filter
def is_current(host: Any) -> bool:
    """Whether what is mirrored of the host is how it is there now."""
    return bool(host.is_online and not host.engine_error)


@register.inclusion_tag("components/_by_state.html")
def containers_by_state(counts: Sequence[tuple[str, int]]) -> dict[str, object]:
    """A bar, and a line for each state that leads to its list; `counts` are (word, how many)."""
    rows = [(states.summary_look(word), count, states.summary_query(word)) for word, count in counts]
    tones = {"begin": "accent", "busy": "accent"}
    parts = [
        ("faint" if word.startswith("last") else word_look.tone, count)
        for (word, count), (word_look, _, _) in zip(counts, rows, strict=True)
    ]
    return {"rows": rows, "parts": [(tones.get(tone, tone), count) for tone, count in parts]}


@register.simple_tag
def host_exceptions(host: Any, exceptions: Mapping[Any, Sequence[Any]]) -> SafeString:
    """'1 unhealthy 2 exited': the containers of a host that need somebody, by what is wrong, each a link."""
    if not is_current(host):
        return format_html('<span class="g-text-3">{}</span>', "as last known" if not host.is_online else "")
    found: dict[str, tuple[states.Look, int]] = {}
    for container in exceptions.get(host.pk, ()):
        word = {"created": "not started", "exited": "exited"}.get(container.state, "")
        shown = states.problem_look(container.state, word) if word else look_of(container)
        found[shown.word] = (shown, found.get(shown.word, (shown, 0))[1] + 1)
    url = f"{reverse('dashboard:containers')}?{urlencode({'host': host.name, 'problem': 'true'})}"
    parts = ((url, shown.tone, icon(shown.icon, 14), count, shown.word) for shown, count in found.values())
    links = format_html_join("", '<a class="g-c-{1}" href="{0}">{2}{3} {4}</a>', parts)
    return format_html('<span class="g-excepts">{}</span>', links)


@register.filter
def can(container: Any, action: str) -> bool:
    """Whether the engine would do it now: `{% if container|can:"stop" %}`."""
    return action in states.possible_actions(container.state)


# --- amounts and text ----------------------------------------------------------------------


@register.inclusion_tag("components/_fetched.html")
def fetched(name: str, stream: str, thing: Any) -> dict[str, str]:
    """A part of the page that the host's engine fills with a document of `thing`, when the page is there."""
    return {"name": name, "url": reverse("dashboard:part", args=[stream, thing.pk])}


@register.simple_tag(name="bytes")
def bytes_tag(count: int | None, binary: bool = False) -> str:
    return amounts.bytes_text(count, binary=binary)


@register.filter
def plain(text: object, length: int = 200) -> str:
    """Text that came from a host: one line, no tricks, cut."""
    return amounts.plain_text("" if text is None else text, length)


@register.filter
def plain_lines(text: object, length: int = 4000) -> str:
    """The same for what has lines of its own, such as a script; for a place that keeps them."""
    return "\n".join(amounts.plain_text(line, length) for line in str(text)[:length].splitlines())


@register.filter
def short_id(engine_id: str) -> str:
    return engine_id.removeprefix("sha256:")[:12]


@register.simple_tag
def image_name(reference: str) -> SafeString:
    repository, pick = amounts.image_parts(amounts.plain_text(reference, 300))
    return format_html('<span>{}</span><span class="g-text-3">{}</span>', repository, pick)


def _time(moment: dt.datetime, text: str, form: str) -> SafeString:
    exact = moment.astimezone(dt.UTC)
    return format_html(
        '<time datetime="{}" title="{}" data-time="{}">{}</time>',
        exact.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        exact.strftime("%Y-%m-%d %H:%M:%S UTC"),
        form,
        text,
    )


def _age_s(moment: dt.datetime) -> float:
    return (timezone.now() - moment).total_seconds()


@register.simple_tag
def relative_time(moment: dt.datetime | None) -> SafeString | str:
    """'3 min ago', 'in 14 min', 'now'; exact on hover; time.js keeps it fresh."""
    if moment is None:
        return "–"
    age = _age_s(moment)
    if -1 < age < 1:
        return _time(moment, "now", "ago")
    text = f"{amounts.span_text(age)} ago" if age >= 0 else f"in {amounts.span_text(-age)}"
    return _time(moment, text, "ago")


@register.simple_tag
def since(moment: dt.datetime | None) -> SafeString | str:
    """'3 d 4 h': how long it has lasted."""
    return "–" if moment is None else _time(moment, amounts.span_text(_age_s(moment)), "since")


@register.filter
def span(length: dt.timedelta) -> str:
    return amounts.span_text(length.total_seconds())


@register.simple_tag
def time_left(moment: dt.datetime) -> SafeString:
    """'59:41', counting down."""
    minutes, seconds = divmod(max(0, int(-_age_s(moment))), 60)
    return _time(moment, f"{minutes}:{seconds:02}", "left")


@register.simple_tag
def took(start: dt.datetime | None, end: dt.datetime | None) -> str:
    if start is None or end is None:
        return "–"
    return amounts.took_text((end - start).total_seconds())


# --- ports ---------------------------------------------------------------------------------


@register.simple_tag
def ports(published: Iterable[Mapping[str, Any]], address: str = "", room: int = 0) -> SafeString | str:
    """`8443→443`, as a link where the host can be reached by it; IPv4 and IPv6 twins once.

    `room`: how many characters there are; what does not fit is counted, `+3`.
    """
    seen: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for port in published:
        if port.get("host_port"):
            seen.setdefault((port["host_port"], port["container_port"], port["protocol"]), port)
    shown = sorted(seen.values(), key=lambda port: int(port["host_port"]))
    if not shown:
        return "–"
    fitting = _fitting(shown, room) if room else len(shown)
    rest = len(shown) - fitting
    parts = [_port(port, address) for port in shown[:fitting]]
    more = format_html(' <span class="g-text-3">+{}</span>', rest) if rest else ""
    return format_html("{}{}", format_html_join(" ", "{}", ((part,) for part in parts)), more)


def _fitting(shown: Sequence[Mapping[str, Any]], room: int) -> int:
    """How many of them fit, one at least; where not all do, a '+12' must fit too."""
    ends: list[int] = []
    for port in shown:
        kind = "" if port["protocol"] == "tcp" else f"/{port['protocol']}"
        width = len(f"{port['host_port']}→{port['container_port']}{kind} ")
        ends.append((ends[-1] if ends else 0) + width)
    if ends[-1] - 1 <= room:
        return len(shown)
    return max(1, sum(end + 3 <= room for end in ends))


def _port(port: Mapping[str, Any], address: str) -> SafeString:
    number = int(port["host_port"])
    kind = "" if port["protocol"] == "tcp" else f"/{port['protocol']}"
    inner = format_html('<span class="g-text-3">→{}{}</span>', port["container_port"], kind)
    ip = str(port.get("ip") or "")
    if not address or kind or ip.startswith(LOOPBACK):
        return format_html("<span>{}</span>{}", number, inner)
    place = f"[{address}]" if ":" in address else address
    scheme = "https" if number in HTTPS_PORTS else "http"
    return format_html(
        '<a class="g-link g-port" href="{}://{}:{}/" target="_blank" rel="noopener noreferrer">{}</a>{}',
        scheme,
        place,
        number,
        number,
        inner,
    )


# --- charts --------------------------------------------------------------------------------


@register.simple_tag
def bar(part: float | None, whole: float | None, width: int = 56, tone: str = "") -> SafeString:
    """A gauge; its tone follows 80 % and 90 % unless it is given."""
    fraction = min(1.0, max(0.0, part / whole)) if part is not None and whole else 0.0
    return format_html(
        '<svg class="g-bar" width="{0}" height="6" viewBox="0 0 {0} 6" aria-hidden="true">'
        '<rect class="g-bar-bg" width="{0}" height="6" rx="2"/>'
        '<rect class="g-fill-{1}" width="{2}" height="6" rx="2"/></svg>',
        width,
        tone or states.gauge_level(fraction) or "idle",
        f"{fraction * width:.1f}",
    )


@register.simple_tag
def progress_bar(fraction: float, width: int = 300) -> SafeString:
    """Thin, stretched to its place: the progress of an operation."""
    return format_html(
        '<svg class="g-bar" width="{0}" height="4" viewBox="0 0 {0} 4" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="g-bar-bg" width="{0}" height="4" rx="2"/>'
        '<rect class="g-fill-accent" width="{1}" height="4" rx="2"/></svg>',
        width,
        f"{min(1.0, max(0.0, fraction)) * width:.1f}",
    )


@register.simple_tag
def stacked_bar(parts: Sequence[tuple[str, int]], width: int = 266, height: int = 8) -> SafeString:
    """Shares of a whole, each at least 2 wide: `parts` are (tone, count)."""
    shown = [(tone, count) for tone, count in parts if count]
    total = sum(count for _, count in shown)
    gap, least = 1.5, 2.0
    room = width - gap * max(0, len(shown) - 1) - least * len(shown)
    rects, x = [], 0.0
    for tone, count in shown:
        share = least + room * count / total
        rects.append((tone, f"{x:.1f}", f"{share:.1f}", height))
        x += share + gap
    return format_html(
        '<svg class="g-bar is-wide" width="{0}" height="{1}" viewBox="0 0 {0} {1}" preserveAspectRatio="none"'
        ' aria-hidden="true">'
        '<rect class="g-bar-bg" width="{0}" height="{1}" rx="2"/>{2}</svg>',
        width,
        height,
        format_html_join("", '<rect class="g-fill-{}" x="{}" width="{}" height="{}" rx="1"/>', rects),
    )


@register.simple_tag
def sparkline(
    values: Sequence[float | None], width: int = 44, height: int = 18, top: float = 100.0, tone: str = ""
) -> SafeString:
    """A line with its area; None is a gap, drawn as nothing."""
    step = width / max(1, len(values) - 1)
    runs: list[list[tuple[float, float]]] = [[]]
    for i, value in enumerate(values):
        if value is None:
            runs.append([])
            continue
        y = height - 1 - (height - 2) * min(1.0, max(0.0, value / top if top else 0.0))
        runs[-1].append((i * step, y))
    shapes = []
    for run in filter(None, runs):
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
        area = f"{run[0][0]:.1f},{height} {line} {run[-1][0]:.1f},{height}"
        shapes.append((area, line))
    return format_html(
        '<svg class="g-spark{0}" width="{1}" height="{2}" viewBox="0 0 {1} {2}" aria-hidden="true">{3}</svg>',
        f" is-{tone}" if tone else "",
        width,
        height,
        format_html_join("", '<polygon points="{}"/><polyline points="{}"/>', shapes),
    )


# --- what the page's modules act on ----------------------------------------------------------


@register.simple_tag
def live(topics: str, url: str, host: Any = None, select: str = "") -> SafeString:
    """The attributes of a part that fetches itself when one of `topics` changed (static/js/live.js).

    The part needs an id of its own. `url` answers with the part alone, or with a page that holds it: then
    `select` is its '#id'. `host`: only changes of this host count.
    """
    return format_html(
        'data-live="{}"{} hx-get="{}" hx-trigger="gantry:refresh" hx-target="this" hx-swap="morph:outerHTML"'
        ' hx-sync="this:replace"{}',
        topics,
        format_html(' data-live-host="{}"', host) if host else "",
        url,
        format_html(' hx-select="{}"', select) if select else "",
    )


# --- lists ---------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def query_with(context: Mapping[str, Any], **changes: object) -> str:
    """The page's address with parameters changed; None or '' takes one out. A change of filter starts at page 1."""
    request: HttpRequest = context["request"]
    query = request.GET.copy()
    if "page" not in changes:
        query.pop("page", None)
    for name, value in changes.items():
        if value in (None, ""):
            query.pop(name, None)
        else:
            query[name] = str(value)
    return f"{request.path}?{query.urlencode()}" if query else request.path


@register.inclusion_tag("components/_sort_head.html", takes_context=True)
def sort_head(
    context: Mapping[str, Any], name: str, label: str, css: str = "", falls: bool = False
) -> dict[str, object]:
    """A column's head that sorts; the context's `sort` is the current one, '-name' the other way round.

    `falls`: the first click puts the largest, newest or worst on top.
    """
    current = str(context.get("sort", ""))
    is_current = current.lstrip("-") == name
    following = f"-{name}" if current == name else name
    return {
        "label": label,
        "css": css,
        "url": query_with(context, sort=following),
        "direction": ("descending" if current.startswith("-") != falls else "ascending") if is_current else "",
    }


@register.inclusion_tag("components/_filters.html", takes_context=True)
def filter_bar(
    context: Mapping[str, Any], placeholder: str, sorts: str = "", texts: str = "", **choices: Iterable[Any]
) -> dict[str, object]:
    """The row above a list, from the context that lists.render_list gives.

    `sorts` is 'state:Worst first,name:Name'; `texts` are filters whose value is typed; further arguments are the
    values to choose from by parameter, words or hosts.
    """
    request: HttpRequest = context["request"]
    active: Mapping[str, str] = context["filters"]
    current = str(context["sort"]).lstrip("-")
    return {
        "request": request,
        "placeholder": placeholder,
        "text": active.get("q", ""),
        "kept": [
            (name, value) for name, values in request.GET.lists() for value in values if name not in ("q", "page")
        ],
        "kept_all": [(name, value) for name, values in request.GET.lists() for value in values if name != "page"],
        "chips": [
            (*_chip(name, value), query_with(context, **{name: None}))
            for name, value in active.items()
            if name != "q"
        ],
        "choices": [
            (name, name.replace("_", " "), [_choice(context, name, str(option)) for option in options])
            for name, options in choices.items()
        ],
        "texts": [name for name in texts.split(",") if name],
        "path": request.path,
        "groups": [("no group", query_with(context, group=None), not context["group"])]
        + [(name, query_with(context, group=name), name == context["group"]) for name in context["groups"]],
        "sorts": [
            (label, query_with(context, sort=name), name == current)
            for name, _, label in (part.partition(":") for part in sorts.split(",") if part)
        ],
        "errors": context["filter_errors"],
        "total": context["total"],
        "is_filtered": bool(active),
    }


def _chip(name: str, value: str) -> tuple[str, str]:
    """What a chip says, grey and black."""
    if name in FLAG_WORDS:
        return "", FLAG_WORDS[name][value.lower() in ("false", "0")]
    return f"{name.replace('_', ' ')} is", value


def _choice(context: Mapping[str, Any], name: str, option: str) -> tuple[str, str, bool]:
    """A value of the menu, the address that adds it to those chosen (or takes it out), and whether it is chosen."""
    request: HttpRequest = context["request"]
    if name in ONE_VALUE:
        is_chosen = request.GET.get(name) == option
        return option, query_with(context, **{name: None if is_chosen else option}), is_chosen
    chosen = [part for value in request.GET.getlist(name) for part in value.split(",") if part]
    after = [part for part in chosen if part != option] if option in chosen else [*chosen, option]
    return option, query_with(context, **{name: ",".join(after)}), option in chosen


@register.inclusion_tag("components/_nothing.html", takes_context=True)
def nothing(context: Mapping[str, Any], noun: str, icon_name: str, sentence: str) -> dict[str, object]:
    """A list without rows: filtered out, or nothing there yet."""
    return {
        "path": context["request"].path,
        "filters": context["filters"],
        "noun": noun,
        "icon_name": icon_name,
        "sentence": sentence,
    }


@register.inclusion_tag("components/_view_tabs.html", takes_context=True)
def view_tabs(context: Mapping[str, Any], views: Iterable[tuple[str, Mapping[str, str], int]]) -> dict[str, object]:
    """Ways to see a list, each a set of filters; the current one is the one whose filters are exactly chosen."""
    request: HttpRequest = context["request"]
    kept = {name: request.GET[name] for name in ("sort", "group") if request.GET.get(name)}
    active = {name: value for name, value in context["filters"].items() if name != "q"}
    return {
        "tabs": [
            (name, f"{request.path}?{urlencode({**query, **kept})}" if query or kept else request.path, count,
             dict(query) == active)
            for name, query, count in views
        ]
    }  # fmt: skip


@register.inclusion_tag("components/_group_row.html")
def group_row(
    name: str, counts: Mapping[str, Mapping[str, int]], columns: int, host: Any = None
) -> dict[str, object]:
    """The row above those of one host or stack; `counts` are lists.render_list's."""
    return {"name": name, "counts": counts.get(name) or {}, "columns": columns, "host": host}


@register.inclusion_tag("components/_pagination.html", takes_context=True)
def pagination(context: Mapping[str, Any], page: Any) -> dict[str, object]:
    """`page`: Django's Page."""
    return {
        "page": page,
        "earlier": query_with(context, page=page.previous_page_number()) if page.has_previous() else "",
        "later": query_with(context, page=page.next_page_number()) if page.has_next() else "",
    }


# --- forms and messages --------------------------------------------------------------------


@register.inclusion_tag("components/_field.html")
def field(
    bound: BoundField, label: str = "", hint: str = "", suffix: str = "", css: str = "", mono: bool = False
) -> dict[str, object]:
    """Label, widget, hint and error of a form's field, tied together."""
    widget = bound.field.widget
    name = bound.auto_id
    hint = hint or str(bound.help_text or "")
    described = " ".join(
        part for part in (f"{name}-hint" if hint else "", f"{name}-error" if bound.errors else "") if part
    )
    kind = "input"
    if isinstance(widget, RadioSelect):
        kind = "choice"
    elif isinstance(widget, CheckboxInput):
        kind = "tick"
    classes = ["form-select" if isinstance(widget, Select) and kind == "input" else "form-control"]
    classes += ["is-invalid"] if bound.errors else []
    classes += ["g-mono"] if mono else []
    attrs: dict[str, str | bool] = {"class": "g-tick" if kind == "tick" else " ".join(classes)}
    if described:
        attrs["aria-describedby"] = described
    if bound.errors:
        attrs["aria-invalid"] = "true"
    if isinstance(widget, Textarea):
        attrs.update(spellcheck="false", cols="40", rows="3")
    return {
        "bound": bound,
        "label": label or bound.label,
        "widget": "" if kind == "choice" else bound.as_widget(attrs=attrs),
        "kind": kind,
        "hint": hint,
        "suffix": suffix,
        "css": css,
        "described": described,
    }


@register.inclusion_tag("components/_banner.html")
def banner(
    tone: str, fact: str, rest: str = "", icon_name: str = "", url: str = "", action: str = ""
) -> dict[str, str]:
    """One line with a tint: the bold fact, what follows, one action."""
    icons = {"bad": "alert-octagon-filled", "warn": "alert-triangle-filled", "ok": "circle-check-filled"}
    return {
        "tone": tone,
        "fact": fact,
        "rest": rest,
        "icon_name": icon_name or icons.get(tone, "info-circle"),
        "url": url,
        "action": action,
    }


@register.inclusion_tag("components/_empty.html")
def empty(icon_name: str, title: str, sentence: str = "", url: str = "", action: str = "") -> dict[str, str]:
    return {"icon_name": icon_name, "title": title, "sentence": sentence, "url": url, "action": action}


@register.simple_tag(takes_context=True)
def is_rail(context: Mapping[str, Any]) -> bool:
    """Whether the reader folded the sidebar; theme.js keeps it in a cookie."""
    request: HttpRequest | None = context.get("request")
    return request is not None and request.COOKIES.get("gantry_rail") == "1"


@register.simple_tag(takes_context=True)
def place(context: Mapping[str, Any]) -> str:
    """Which place of the sidebar the reader is in: the first word of the page's address."""
    request: HttpRequest | None = context.get("request")
    if request is None:
        return ""
    path = urlsplit(request.headers.get("HX-Current-URL", "")).path or request.path
    return path.strip("/").partition("/")[0] or "overview"


@register.filter
def used_in(found: Any, counts: Mapping[tuple[Any, str], int]) -> int:
    """How many containers use a network or volume; `counts` are queries.use_counts'."""
    return counts.get((found.host_id, found.engine_id), 0)


@register.filter
def get(mapping: Mapping[Any, Any], key: object) -> Any:
    return mapping.get(key)


@register.filter
def names(objects: Sequence[Any], most: int = 3) -> str:
    """'shop-web-1, shop-web-2 and 4 more'."""
    shown = [amounts.plain_text(found.name, 60) for found in objects[:most]]
    rest = len(objects) - len(shown)
    if rest:
        return f"{', '.join(shown)} and {rest} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1] if shown else ""]))


@register.filter
def json_text(value: object) -> str:
    """A value of JSON: words as they are, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@register.filter
def fraction(progress: Mapping[str, Any]) -> float | None:
    """How much of an operation or a layer is done, None where that is not known."""
    current, total = progress.get("current"), progress.get("total")
    if not isinstance(current, int | float) or not isinstance(total, int | float) or total <= 0:
        return None
    return min(1.0, current / total)


@register.filter
def initials(name: str) -> str:
    words = [word for word in str(name).replace(".", " ").replace("-", " ").split() if word]
    return "".join(word[0] for word in words[:2]).upper() or "?"
