"""Inside CPython 3.10: import all of the agent, over the wheels of its bundle, and read what its protocol writes.

That Python has neither TLS nor processes, so modules of the standard library that need them are empty here.
"""

import importlib
import json
import pathlib
import sys
import types

sys.path.insert(0, "/repository")
sys.path.extend(str(wheel) for wheel in pathlib.Path("/wheels").glob("*.whl"))


class Empty(types.ModuleType):
    """Every name in it is a class of its own."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {})


for name in ("fcntl", "grp", "pwd", "resource", "sqlite3", "ssl", "termios"):
    try:
        importlib.import_module(name)
    except ImportError:
        sys.modules[name] = Empty(name)
tls = sys.modules["ssl"]
if isinstance(tls, Empty):
    tls.OPENSSL_VERSION, tls.OPENSSL_VERSION_INFO, tls.OPENSSL_VERSION_NUMBER = "none", (3, 0, 0, 0, 0), 0x30000000

failed = {}
modules = sorted(pathlib.Path("/repository/agents").rglob("*.py"))
names = [".".join(m.relative_to("/repository").with_suffix("").parts).replace(".__init__", "") for m in modules]
for name in names:
    if name.endswith("__main__"):
        continue
    try:
        importlib.import_module(name)
    except Exception as error:
        failed[name] = repr(error)

protocol = importlib.import_module("agents.protocol")
operation = "6f1d2c3b-0000-4000-8000-000000000001"
said = [protocol.Accepted(operation), protocol.Heartbeat(1.5, {}), protocol.CloseStream(3, "gone")]
heard = [protocol.load(protocol.dump(message), protocol.TO_CONSOLE) for message in said]

json.dumps(
    {"python": sys.version_info[:2], "modules": len(names), "failed": failed, "understood": said == heard}
)
