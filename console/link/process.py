from __future__ import annotations

import os
import secrets
import socket

# Names this web process in the rows of the hosts whose links it holds.
PROCESS = f"{socket.gethostname()[:30]}-{os.getpid()}-{secrets.token_hex(4)}"
