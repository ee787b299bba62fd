/**
 * The caches that teams put in front of services, configured for the same: everything that is asked
 * for is a hit, requests are limited by a rate and connections by a number, and each is logged.
 * What Varnish writes about a request stays in its shared memory; nobody reads it there.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { host } from './conditions.ts'

export interface ServerPlace {
  /** Empty at first. */
  readonly folder: string
  /** A free one. */
  readonly port: number
  readonly originPort: number
}

/** @returns the command that runs it */
export function nginx({ folder, originPort, port }: ServerPlace): string[] {
  const config = join(folder, 'nginx.conf')
  writeFileSync(
    config,
    `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  log_format bench '$time_iso8601 $remote_addr $request_id $request_method $uri $status '
    '$body_bytes_sent $request_time $upstream_cache_status "$http_user_agent"';
  access_log ${folder}/access.log bench buffer=64k flush=1s;
  proxy_cache_path ${folder}/cache keys_zone=pages:10m;
  limit_req_zone $http_authorization zone=teams:1m rate=1000000r/s;
  limit_conn_zone $binary_remote_addr zone=places:1m;
${bodyPaths(folder)}
  keepalive_requests 1000000000;
  sendfile on;
  tcp_nopush on;
  server {
    listen ${host}:${port};
    location / {
      limit_req zone=teams burst=100000 nodelay;
      limit_conn places 1000;
      proxy_pass http://${host}:${originPort};
      proxy_set_header Accept-Encoding $http_accept_encoding;
      proxy_cache pages;
      proxy_cache_valid 200 1h;
      add_header Cache-Status $upstream_cache_status;
      add_header X-Request-Id $request_id;
    }
  }
}
`
  )
  return ['nginx', '-p', folder, '-e', join(folder, 'error.log'), '-c', config]
}

function bodyPaths(folder: string): string {
  return ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map(name => `  ${name}_temp_path ${folder}/${name};`)
    .join('\n')
}

/** @returns the command that runs it */
export function varnish({ folder, originPort, port }: ServerPlace): string[] {
  const config = join(folder, 'bench.vcl')
  const work = join(folder, 'work')
  mkdirSync(work)
  writeFileSync(
    config,
    `vcl 4.1;
backend origin { .host = "${host}"; .port = "${originPort}"; }
sub vcl_recv {
  unset req.http.Authorization;
  return (hash);
}
sub vcl_deliver { set resp.http.X-Request-Id = req.xid; }
`
  )
  const listening = ['-a', `${host}:${port}`, '-f', config, '-n', work]
  return ['varnishd', '-F', ...listening, '-s', 'malloc,64m', '-t', '3600']
}
