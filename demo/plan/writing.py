"""What programs write into their logs: at their start, while they run, and at their end. Seeded line by line."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

Line = tuple[int, str]  # 1 for stdout, 2 for stderr; without the line's end

OUT, ERR = 1, 2

_PATHS = (
    "/", "/cart", "/checkout", "/products/1842", "/products/2207", "/search?q=lamp", "/login", "/static/app.9f2c.js",
    "/static/app.9f2c.css", "/api/v1/orders", "/api/v1/orders/88213", "/api/v1/customers/419", "/healthz", "/favicon.ico",
)  # fmt: skip
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0.0.0 Safari/537.36",
    "curl/8.5.0",
)
_TABLES = ("orders", "customers", "sessions", "journal", "accounts", "payments", "products")


@dataclass(frozen=True, slots=True)
class Moment:
    """Where in a program's life a line is written."""

    chance: random.Random
    at: float  # Unix time
    name: str  # of the container
    index: int  # of the line in its run

    def clock(self, form: str) -> str:
        return datetime.fromtimestamp(self.at, UTC).strftime(form)

    @property
    def ms(self) -> str:
        return f"{int(self.at * 1000) % 1000:03}"

    @property
    def address(self) -> str:
        return f"10.{self.chance.randrange(4)}.{self.chance.randrange(256)}.{self.chance.randrange(1, 255)}"


Write = Callable[[Moment], list[Line]]
Boot = Callable[[Moment], list[Line]]
End = Callable[[Moment, int, bool], list[Line]]


@dataclass(frozen=True, slots=True)
class Style:
    """How one kind of program logs. A line of `write` may be several: a stack trace is."""

    write: Write
    boot: Boot = lambda moment: []
    end: End = lambda moment, code, oom: []


def _status(chance: random.Random) -> int:
    return chance.choices((200, 304, 301, 404, 499, 500, 502), (80, 8, 4, 4, 1, 1, 1))[0]


def _nginx(m: Moment) -> list[Line]:
    status, path = _status(m.chance), m.chance.choice(_PATHS)
    lines = [
        (
            OUT,
            f'{m.address} - - [{m.clock("%d/%b/%Y:%H:%M:%S +0000")}] "GET {path} HTTP/1.1" {status} '
            f'{m.chance.randrange(180, 48000)} "-" "{m.chance.choice(_AGENTS)}" rt={m.chance.random() ** 4:.3f}',
        )
    ]
    if status == 502:
        lines.append(
            (
                ERR,
                f"{m.clock('%Y/%m/%d %H:%M:%S')} [error] 29#29: *{m.index + 1041} connect() failed (111: Connection "
                f'refused) while connecting to upstream, client: {m.address}, server: _, request: "GET {path} '
                'HTTP/1.1", upstream: "http://172.18.0.7:3000"',
            )
        )
    return lines


def _nginx_boot(m: Moment) -> list[Line]:
    stamp = m.clock("%Y/%m/%d %H:%M:%S")
    return [
        (OUT, "/docker-entrypoint.sh: /docker-entrypoint.d/ is not empty, will attempt to perform configuration"),
        (OUT, "/docker-entrypoint.sh: Launching /docker-entrypoint.d/20-envsubst-on-templates.sh"),
        (OUT, "/docker-entrypoint.sh: Configuration complete; ready for start up"),
        (ERR, f'{stamp} [notice] 1#1: using the "epoll" event method'),
        (ERR, f"{stamp} [notice] 1#1: nginx/1.27.2"),
        (ERR, f"{stamp} [notice] 1#1: start worker processes"),
    ]


def _nginx_end(m: Moment, code: int, oom: bool) -> list[Line]:
    return [(ERR, f"{m.clock('%Y/%m/%d %H:%M:%S')} [notice] 1#1: signal 3 (SIGQUIT) received, shutting down")]


def _apache(m: Moment) -> list[Line]:
    path = m.chance.choice(("/", "/?p=412", "/wp-login.php", "/feed/", "/wp-cron.php?doing_wp_cron", "/xmlrpc.php"))
    return [
        (
            OUT,
            f'{m.address} - - [{m.clock("%d/%b/%Y:%H:%M:%S +0000")}] "GET {path} HTTP/1.1" {_status(m.chance)} '
            f'{m.chance.randrange(300, 90000)} "-" "{m.chance.choice(_AGENTS)}"',
        )
    ]


def _apache_boot(m: Moment) -> list[Line]:
    stamp = m.clock("%a %b %d %H:%M:%S.000000 %Y")
    return [
        (ERR, "AH00558: apache2: Could not reliably determine the server's fully qualified domain name, using "
              "172.20.0.3. Set the 'ServerName' directive globally to suppress this message"),
        (ERR, f"[{stamp}] [mpm_prefork:notice] [pid 1] AH00163: Apache/2.4.62 (Debian) PHP/8.3.13 configured -- "
              "resuming normal operations"),
    ]  # fmt: skip


def _java_line(m: Moment, level: str, logger: str, text: str) -> str:
    thread = f"nio-8080-exec-{m.chance.randrange(1, 20)}"
    return f"{m.clock('%Y-%m-%dT%H:%M:%S')}.{m.ms}Z {level:>5} 1 --- [{thread:>16}] {logger:<40} : {text}"


def _java(m: Moment) -> list[Line]:
    roll = m.chance.random()
    account = m.chance.randrange(10_000, 99_999)
    if roll < 0.02:
        return [
            (OUT, _java_line(m, "ERROR", "c.a.bank.transfer.TransferController", f"Transfer for account {account} "
             "failed")),
            (OUT, "org.springframework.dao.CannotAcquireLockException: could not execute statement [ERROR: deadlock "
             "detected]"),
            (OUT, "\tat org.springframework.orm.jpa.vendor.HibernateJpaDialect.convertHibernateAccessException"
             "(HibernateJpaDialect.java:290)"),
            (OUT, "\tat com.acme.bank.transfer.TransferService.book(TransferService.java:118)"),
            (OUT, "\tat com.acme.bank.transfer.TransferController.post(TransferController.java:61)"),
            (OUT, "\tat java.base/java.lang.Thread.run(Thread.java:1583)"),
            (OUT, "Caused by: org.postgresql.util.PSQLException: ERROR: deadlock detected"),
            (OUT, f"  Detail: Process {m.chance.randrange(100, 999)} waits for ShareLock on transaction "
             f"{m.chance.randrange(10**6, 10**7)}; blocked by process {m.chance.randrange(100, 999)}."),
            (OUT, "\tat org.postgresql.core.v3.QueryExecutorImpl.receiveErrorResponse(QueryExecutorImpl.java:2733)"),
            (OUT, "\t... 47 common frames omitted"),
        ]  # fmt: skip
    if roll < 0.08:
        return [(OUT, _java_line(m, "WARN", "com.zaxxer.hikari.pool.HikariPool",
                                 "HikariPool-1 - Thread starvation or clock leap detected (housekeeper delta=47s211ms)."))]  # fmt: skip
    text = m.chance.choice((
        f"booked transfer of {m.chance.randrange(1, 9000)}.{m.chance.randrange(100):02} EUR for account {account}",
        f"account {account} loaded in {m.chance.randrange(2, 80)} ms",
        f"GET /accounts/{account}/balance 200 {m.chance.randrange(3, 120)} ms",
        f"published TransferBooked({m.chance.randrange(10**6, 10**7)})",
    ))  # fmt: skip
    return [(OUT, _java_line(m, "INFO", "c.a.bank.transfer.TransferService", text))]


def _java_boot(m: Moment) -> list[Line]:
    return [
        (OUT, "  .   ____          _            __ _ _"),
        (OUT, " /\\\\ / ___'_ __ _ _(_)_ __  __ _ \\ \\ \\ \\"),
        (OUT, "( ( )\\___ | '_ | '_| | '_ \\/ _` | \\ \\ \\ \\"),
        (OUT, "  '  |____| .__|_| |_|_| |_\\__, | / / / /"),
        (OUT, " :: Spring Boot ::                (v3.3.5)"),
        (
            OUT,
            _java_line(m, "INFO", "com.acme.bank.Application", "Starting Application using Java 21.0.5 with PID 1"),
        ),
        (OUT, _java_line(m, "INFO", "com.zaxxer.hikari.HikariDataSource", "HikariPool-1 - Start completed.")),
        (OUT, _java_line(m, "INFO", "o.s.b.w.embedded.tomcat.TomcatWebServer", "Tomcat started on port 8080 (http)")),
        (OUT, _java_line(m, "INFO", "com.acme.bank.Application", "Started Application in 4.182 seconds")),
    ]


def _java_end(m: Moment, code: int, oom: bool) -> list[Line]:
    if oom or code == 137:
        return []
    return [(OUT, _java_line(m, "INFO", "o.s.b.w.e.tomcat.GracefulShutdown", "Commencing graceful shutdown. Waiting "
             "for active requests to complete")),
            (OUT, _java_line(m, "INFO", "com.zaxxer.hikari.HikariDataSource", "HikariPool-1 - Shutdown completed."))]  # fmt: skip


_INFO, _DEBUG = "\x1b[32mINFO\x1b[0m ", "\x1b[90mDEBUG\x1b[0m"
_WARN, _ERROR = "\x1b[33mWARN\x1b[0m ", "\x1b[1;31mERROR\x1b[0m"


def _colour(level: str, logger: str, text: str) -> str:
    return f"{level}  \x1b[36m{logger:<13}\x1b[0m {text}"


def _ledger_boot(m: Moment) -> list[Line]:
    return [
        (OUT, _colour(_INFO, "ledger.boot", "starting ledger 4.12.0, profile production")),
        (OUT, _colour(_INFO, "ledger.db", "connected to db:5432, 20 connections, 38 ms")),
        (OUT, _colour(_INFO, "ledger.replay", "replaying journal from 23:00, 1,284,113 entries")),
    ]


def _ledger(m: Moment) -> list[Line]:
    heap = 230 * (m.index + 1)
    if heap < 700:
        text = f"batch={m.index + 1} entries=65536 heap=\x1b[34m{heap}M\x1b[0m"
        return [(OUT, _colour(_DEBUG, "ledger.replay", text))]
    text = f"posted {m.chance.randrange(200, 900)} entries in {m.chance.randrange(8, 60)} ms"
    return [(OUT, _colour(_INFO, "ledger.post", text))]


def _ledger_end(m: Moment, code: int, oom: bool) -> list[Line]:
    if not oom:
        return [(OUT, _colour(_INFO, "ledger.boot", "shutting down, journal flushed"))]
    return [
        (ERR, _colour(_WARN, "ledger.cache", "heap above 90 % of the limit; evicting 12,400 accounts")),
        (ERR, _colour(_ERROR, "ledger.replay", "cannot allocate 65536 entries: heap exhausted")),
    ]


def _json(m: Moment) -> list[Line]:
    status, path = _status(m.chance), m.chance.choice(_PATHS)
    level = "error" if status >= 500 else ("warn" if status >= 400 else "info")
    entry: dict[str, object] = {
        "level": level,
        "time": f"{m.clock('%Y-%m-%dT%H:%M:%S')}.{m.ms}Z",
        "msg": "request completed" if status < 500 else "request failed",
        "req": {"id": f"req-{m.index:x}", "method": m.chance.choice(("GET", "GET", "GET", "POST")), "url": path},
        "res": {"statusCode": status},
        "responseTime": round(m.chance.random() ** 3 * 400, 1),
    }
    if status >= 500:
        entry["err"] = {
            "type": "FetchError",
            "message": "request to http://cart:8080/cart failed, reason: connect ECONNREFUSED 172.18.0.4:8080",
            "code": "ECONNREFUSED",
        }
    return [(ERR if status >= 500 else OUT, json.dumps(entry, separators=(",", ":")))]


def _json_boot(m: Moment) -> list[Line]:
    at = f"{m.clock('%Y-%m-%dT%H:%M:%S')}.{m.ms}Z"
    messages = ("configuration loaded", "connected to redis at cache:6379", "listening on :3000")
    return [(OUT, json.dumps({"level": "info", "time": at, "msg": text}, separators=(",", ":"))) for text in messages]


def _json_end(m: Moment, code: int, oom: bool) -> list[Line]:
    at = f"{m.clock('%Y-%m-%dT%H:%M:%S')}.{m.ms}Z"
    if code in (0, 143):
        return [(OUT, json.dumps({"level": "info", "time": at, "msg": "SIGTERM received, draining 3 connections"}))]
    return [
        (ERR, "/app/dist/server.js:412"),
        (ERR, "    throw new Error(`cart ${id} has no currency`);"),
        (ERR, "    ^"),
        (ERR, "Error: cart 88213 has no currency"),
        (ERR, "    at Cart.total (/app/dist/cart.js:77:11)"),
        (ERR, "    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)"),
        (ERR, "Node.js v22.11.0"),
    ]


def _python(m: Moment) -> list[Line]:
    roll = m.chance.random()
    stamp = f"{m.clock('%Y-%m-%d %H:%M:%S')},{m.ms}"
    if roll < 0.03:
        return [
            (ERR, f"{stamp} ERROR django.request: Internal Server Error: /photos/{m.chance.randrange(9999)}"),
            (ERR, "Traceback (most recent call last):"),
            (
                ERR,
                '  File "/usr/local/lib/python3.13/site-packages/django/core/handlers/exception.py", line 55, in inner',
            ),
            (ERR, "    response = get_response(request)"),
            (ERR, '  File "/app/gallery/views.py", line 88, in show'),
            (ERR, "    width, height = image.size"),
            (ERR, "                    ^^^^^^^^^^"),
            (ERR, "AttributeError: 'NoneType' object has no attribute 'size'"),
        ]
    level, text = m.chance.choice((
        ("INFO", f"gallery.index: indexed {m.chance.randrange(10, 900)} documents in {m.chance.randrange(20, 900)} ms"),
        ("INFO", f"celery.app.trace: Task gallery.thumbnail[{m.chance.getrandbits(32):08x}] succeeded in "
                 f"{m.chance.random():.3f}s: None"),
        ("INFO", f"gunicorn.access: {m.address} GET {m.chance.choice(_PATHS)} {_status(m.chance)}"),
        ("WARNING", "urllib3.connectionpool: Retrying (Retry(total=2)) after connection broken by 'ReadTimeoutError'"),
    ))  # fmt: skip
    return [(ERR, f"{stamp} {level} {text}")]


def _python_boot(m: Moment) -> list[Line]:
    stamp = m.clock("[%Y-%m-%d %H:%M:%S +0000]")
    lines = ["[1] [INFO] Starting gunicorn 23.0.0", "[1] [INFO] Listening at: http://0.0.0.0:8000 (1)"]
    return [(ERR, f"{stamp} {text}") for text in [*lines, *(f"[{7 + n}] [INFO] Booting worker" for n in range(4))]]


def _python_end(m: Moment, code: int, oom: bool) -> list[Line]:
    stamp = m.clock("[%Y-%m-%d %H:%M:%S +0000]")
    if code in (0, 143):
        return [
            (ERR, f"{stamp} [1] [INFO] Handling signal: term"),
            (ERR, f"{stamp} [1] [INFO] Shutting down: Master"),
        ]
    if oom:
        return []
    return [
        (ERR, "Traceback (most recent call last):"),
        (ERR, '  File "/app/indexer/main.py", line 31, in <module>'),
        (ERR, "    main()"),
        (ERR, '  File "/app/indexer/main.py", line 24, in main'),
        (ERR, "    connection = psycopg.connect(settings.database)"),
        (ERR, 'psycopg.OperationalError: connection failed: connection to server at "172.18.0.4", port 5432 failed: '
              'FATAL:  password authentication failed for user "app"'),
    ]  # fmt: skip


def _postgres(m: Moment) -> list[Line]:
    stamp = f"{m.clock('%Y-%m-%d %H:%M:%S')}.{m.ms} UTC [{m.chance.randrange(30, 900)}]"
    roll = m.chance.random()
    if roll < 0.35:
        return [(ERR, f"{stamp} LOG:  checkpoint starting: time"),
                (ERR, f"{stamp} LOG:  checkpoint complete: wrote {m.chance.randrange(20, 4000)} buffers (1.2%); 0 WAL "
                      f"file(s) added, 0 removed, 1 recycled; write={m.chance.random() * 200:.3f} s, sync=0.004 s")]  # fmt: skip
    table = m.chance.choice(_TABLES)
    if roll < 0.5:
        return [(ERR, f'{stamp} ERROR:  duplicate key value violates unique constraint "{table}_pkey"'),
                (ERR, f"{stamp} DETAIL:  Key (id)=({m.chance.randrange(10**6)}) already exists."),
                (ERR, f"{stamp} STATEMENT:  INSERT INTO {table} (id, state, total) VALUES ($1, $2, $3)")]  # fmt: skip
    return [(ERR, f"{stamp} LOG:  duration: {m.chance.random() * 900 + 200:.3f} ms  execute <unnamed>: SELECT * FROM "
                  f"{table} WHERE state = $1 ORDER BY created_at DESC LIMIT 50")]  # fmt: skip


def _postgres_boot(m: Moment) -> list[Line]:
    stamp = f"{m.clock('%Y-%m-%d %H:%M:%S')}.{m.ms} UTC [1]"
    return [
        (OUT, ""),
        (OUT, "PostgreSQL Database directory appears to contain a database; Skipping initialization"),
        (OUT, ""),
        (ERR, f"{stamp} LOG:  starting PostgreSQL 16.4 (Debian 16.4-1.pgdg120+2) on x86_64-pc-linux-gnu"),
        (ERR, f'{stamp} LOG:  listening on IPv4 address "0.0.0.0", port 5432'),
        (ERR, f"{stamp} LOG:  database system is ready to accept connections"),
    ]


def _postgres_end(m: Moment, code: int, oom: bool) -> list[Line]:
    stamp = f"{m.clock('%Y-%m-%d %H:%M:%S')}.{m.ms} UTC [1]"
    return [(ERR, f"{stamp} LOG:  received fast shutdown request"),
            (ERR, f"{stamp} LOG:  aborting any active transactions"),
            (ERR, f"{stamp} LOG:  database system is shut down")]  # fmt: skip


def _mysql(m: Moment) -> list[Line]:
    stamp = m.clock("%Y-%m-%dT%H:%M:%S") + f".{m.ms}000Z"
    return [(ERR, f"{stamp} {m.index + 9} [Warning] Aborted connection {m.index + 9} to db: 'app' user: 'app' host: "
                  f"'{m.address}' (Got timeout reading communication packets)")]  # fmt: skip


def _mysql_boot(m: Moment) -> list[Line]:
    stamp = m.clock("%Y-%m-%dT%H:%M:%S") + f".{m.ms}000Z"
    return [(ERR, f"{stamp} 0 [Note] InnoDB: Completed initialization of buffer pool"),
            (ERR, f"{stamp} 0 [Note] ready for connections. Version: '11.5'  socket: '/run/mysqld/mysqld.sock'")]  # fmt: skip


def _redis(m: Moment) -> list[Line]:
    stamp = m.clock("%d %b %Y %H:%M:%S") + f".{m.ms}"
    return [(OUT, f"1:M {stamp} * {m.chance.choice((100, 300, 10000))} changes in 300 seconds. Saving..."),
            (OUT, f"{m.index + 20}:C {stamp} * DB saved on disk"),
            (OUT, f"1:M {stamp} * Background saving terminated with success")]  # fmt: skip


def _redis_boot(m: Moment) -> list[Line]:
    stamp = m.clock("%d %b %Y %H:%M:%S") + f".{m.ms}"
    return [(OUT, f"1:C {stamp} # WARNING Memory overcommit must be enabled!"),
            (OUT, f"1:M {stamp} * Running mode=standalone, port=6379."),
            (OUT, f"1:M {stamp} * Ready to accept connections tcp")]  # fmt: skip


def _redis_end(m: Moment, code: int, oom: bool) -> list[Line]:
    stamp = m.clock("%d %b %Y %H:%M:%S") + f".{m.ms}"
    return [(OUT, f"1:signal-handler ({int(m.at)}) Received SIGTERM scheduling shutdown..."),
            (OUT, f"1:M {stamp} # Redis is now ready to exit, bye bye...")]  # fmt: skip


def _logfmt(m: Moment) -> list[Line]:
    roll = m.chance.random()
    level = "error" if roll < 0.02 else ("warn" if roll < 0.08 else "info")
    text = {
        "error": 'msg="rpc failed" err="context deadline exceeded" peer=ledger:8080',
        "warn": 'msg="slow request" route=/v1/cart',
        "info": f"msg=served route=/v1/cart code=200 bytes={m.chance.randrange(90, 9000)}",
    }[level]
    took = m.chance.random() * (900 if level != "info" else 40)
    return [(ERR if level == "error" else OUT,
             f"time={m.clock('%Y-%m-%dT%H:%M:%S')}.{m.ms}Z level={level} {text} took={took:.1f}ms")]  # fmt: skip


def _logfmt_boot(m: Moment) -> list[Line]:
    at = f"{m.clock('%Y-%m-%dT%H:%M:%S')}.{m.ms}Z"
    return [(OUT, f'time={at} level=info msg="starting" version=2.31.4 go=go1.23.2'),
            (OUT, f'time={at} level=info msg="listening" addr=:8080')]  # fmt: skip


def _logfmt_end(m: Moment, code: int, oom: bool) -> list[Line]:
    at = f"{m.clock('%Y-%m-%dT%H:%M:%S')}.{m.ms}Z"
    if code in (0, 143):
        return [(OUT, f'time={at} level=info msg="shutting down" signal=terminated')]
    return [
        (ERR, "panic: runtime error: invalid memory address or nil pointer dereference"),
        (ERR, "[signal SIGSEGV: segmentation violation code=0x1 addr=0x28 pc=0x7d1b06]"),
        (ERR, ""),
        (ERR, "goroutine 418 [running]:"),
        (ERR, "acme.example/shop/cart.(*Store).Load(0x0, {0xc0004a6000, 0x24})"),
        (ERR, "\t/src/cart/store.go:142 +0x46"),
        (ERR, "exit status 2"),
    ]


def _ansi(m: Moment) -> list[Line]:
    roll = m.chance.random()
    stamp = m.clock("%H:%M:%S")
    if roll < 0.05:
        return [
            (ERR, f"\x1b[90m{stamp}\x1b[0m \x1b[31;1mERR\x1b[0m frame {m.index} dropped \x1b[36mcodec=\x1b[0mh265")
        ]
    if roll < 0.15:
        return [(OUT, f"\x1b[90m{stamp}\x1b[0m \x1b[33mWRN\x1b[0m queue is long \x1b[36mwaiting=\x1b[0m"
                      f"{m.chance.randrange(20, 90)}")]  # fmt: skip
    return [(OUT, f"\x1b[90m{stamp}\x1b[0m \x1b[32mINF\x1b[0m job done \x1b[36mid=\x1b[0m{m.chance.getrandbits(24):06x} "
                  f"\x1b[36mtook=\x1b[0m{m.chance.random() * 9:.1f}s \x1b[36mspeed=\x1b[0m"
                  f"{m.chance.random() * 4 + 1:.2f}x")]  # fmt: skip


def _job(m: Moment) -> list[Line]:
    return [(OUT, f"{m.clock('%H:%M:%S')} step {m.index + 1}: "
                  f"{m.chance.choice(_TABLES)}, {m.chance.randrange(10, 90000)} rows, {m.chance.random():.2f} s")]  # fmt: skip


def _job_end(m: Moment, code: int, oom: bool) -> list[Line]:
    if code == 0:
        return [(OUT, f"{m.clock('%H:%M:%S')} done")]
    return [(ERR, f'{m.clock("%H:%M:%S")} FATAL: db:5432: password authentication failed for user "app"')]


def _plain(m: Moment) -> list[Line]:
    return [(OUT, f"{m.clock('%Y-%m-%d %H:%M:%S')} [info] connection from {m.address} accepted, "
                  f"{m.chance.randrange(2, 60)} open")]  # fmt: skip


def _hello_boot(m: Moment) -> list[Line]:
    text = "\nHello from Docker!\nThis message shows that your installation appears to be working correctly.\n"
    return [(OUT, line) for line in text.split("\n")]


STYLES: dict[str, Style] = {
    "nginx": Style(_nginx, _nginx_boot, _nginx_end),
    "apache": Style(_apache, _apache_boot),
    "java": Style(_java, _java_boot, _java_end),
    "ledger": Style(_ledger, _ledger_boot, _ledger_end),
    "json": Style(_json, _json_boot, _json_end),
    "python": Style(_python, _python_boot, _python_end),
    "postgres": Style(_postgres, _postgres_boot, _postgres_end),
    "mysql": Style(_mysql, _mysql_boot),
    "redis": Style(_redis, _redis_boot, _redis_end),
    "logfmt": Style(_logfmt, _logfmt_boot, _logfmt_end),
    "ansi": Style(_ansi),
    "job": Style(_job, end=_job_end),
    "plain": Style(_plain),
    "hello": Style(lambda m: [], _hello_boot),
}
