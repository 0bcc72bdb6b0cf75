"""nginx as a plain reverse proxy, with one worker: what forwarding costs at the least."""

from __future__ import annotations

import os
import shutil

from bench.servers.entry import Place, Prepared, Server
from bench.servers.questions import provided

# Whole chats over one connection: nginx would close it after a thousand requests.
_CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_body_buffer_size 64k;
    keepalive_requests 1000000000;
    upstream provider {{
        server 127.0.0.1:{upstream};
        keepalive 128;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        location / {{
            proxy_pass http://provider{path}/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""


def _binary() -> str | None:
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")


def _prepare(place: Place) -> Prepared:
    config = place.folder / "nginx.conf"
    path = place.provider.partition(str(place.upstream))[2].removesuffix("/v1")
    # Started by root, its worker would become somebody who may not enter the folder.
    user = "user root;" if os.name == "posix" and os.geteuid() == 0 else ""
    text = _CONFIG.format(
        folder=place.folder, port=place.port, upstream=place.upstream, path=path, user=user
    )
    config.write_text(text, "utf-8")
    command = [_binary() or "nginx", "-p", str(place.folder), "-c", str(config)]
    return Prepared([*command, "-e", "stderr"], provided(place.port, "canned", ""))


SERVER = Server(name="nginx", needs=None, prepare=_prepare, is_found=lambda: _binary() is not None)
