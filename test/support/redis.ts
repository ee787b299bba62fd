/**
 * A real redis-server (or valkey-server) on a free port for one test, without persistence unless
 * asked for; it ends with the test, and with this process. On a machine that has none the tests
 * of a file are skipped in one line, and in CI they fail.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { freePorts } from '../../simulator/free-ports.ts'

const program = ['redis-server', 'valkey-server'].find(
  name => spawnSync(name, ['--version']).status === 0
)

export const hasRedisServer = program !== undefined

/** Ends the file here, visibly, if there is no server to test against. */
export function needsRedis(t: Pick<Test, 'plan'>): void {
  if (hasRedisServer) return
  if (process.env.CI) throw new Error('there is no redis-server here, and CI has to have one')
  t.plan(0, 'no redis-server on this machine: these tests were not run')
  process.exit(0)
}

export interface RedisOptions {
  /** As on its command line, without dashes. */
  readonly settings?: Readonly<Record<string, string>>
  readonly port?: number
  /** Keeps nothing and watches that master. */
  readonly sentinelOf?: { readonly name: string; readonly port: number }
  /** For what the test asks itself. */
  readonly password?: string
}

export class RedisServer {
  readonly port: number
  readonly #folder = mkdtempSync(join(tmpdir(), 'helpcrunch-proxy-redis-'))
  readonly #settings: Readonly<Record<string, string>>
  readonly #sentinelOf: RedisOptions['sentinelOf']
  #password: string | undefined
  #process: ChildProcess | undefined

  constructor(port: number, { password, sentinelOf, settings = {} }: RedisOptions) {
    this.port = port
    this.#sentinelOf = sentinelOf
    this.#password = password
    this.#settings = { ...settings, ...(password !== undefined && { requirepass: password }) }
    process.on('exit', this.#onExit)
  }

  readonly #onExit = () => void this.#process?.kill('SIGKILL')

  get url(): string {
    const login = this.#password === undefined ? '' : `:${this.#password}@`
    return `redis://${login}127.0.0.1:${this.port}`
  }

  /** Starts it, or starts it again, empty unless it was told to keep what it had. */
  async start(): Promise<void> {
    const settings = {
      ...{ port: String(this.port), bind: '127.0.0.1', dir: this.#folder, save: '' },
      ...{ appendonly: 'no', 'protected-mode': 'no', loglevel: 'warning' },
      ...this.#settings
    }
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
    this.#process = spawn(program!, this.#sentinelOf ? this.#sentinelArgs() : args, {
      stdio: 'ignore'
    })
    await untilTrue(async () => {
      const answer = await this.ask('PING').catch((error: Error) => error.message)
      return /^(PONG|NOPERM|NOAUTH|LOADING|WRONGPASS)/.test(String(answer))
    })
  }

  /** It writes what it learns into its file. */
  #sentinelArgs(): string[] {
    const { name, port } = this.#sentinelOf!
    const path = join(this.#folder, 'sentinel.conf')
    const lines = [
      ...[`port ${this.port}`, 'bind 127.0.0.1', `dir ${this.#folder}`, 'protected-mode no'],
      `sentinel monitor ${name} 127.0.0.1 ${port} 1`,
      // It changes the master when it is told to, and not because the machine is busy.
      ...[
        `sentinel down-after-milliseconds ${name} 60000`,
        `sentinel failover-timeout ${name} 5000`
      ]
    ]
    writeFileSync(path, lines.join('\n'))
    return [path, '--sentinel']
  }

  /** As if the machine lost power. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  async restart(): Promise<void> {
    await this.kill()
    await this.start()
  }

  /** It stands still, with all connections open. */
  pause(): void {
    this.#process?.kill('SIGSTOP')
  }

  resume(): void {
    this.#process?.kill('SIGCONT')
  }

  /** One command, on a connection of its own. */
  async ask(command: string, ...args: string[]): Promise<unknown> {
    const redis = new Redis({
      ...{ host: '127.0.0.1', port: this.port, lazyConnect: true, retryStrategy: () => null },
      ...{ protocol: 2 as const, enableReadyCheck: false },
      ...(this.#password !== undefined && { password: this.#password })
    })
    redis.on('error', () => {})
    try {
      await redis.connect()
      return await redis.call(command, ...args)
    } finally {
      redis.disconnect()
    }
  }

  /** Whoever is connected has to say the new one. */
  async setPassword(password: string): Promise<void> {
    await this.ask('CONFIG', 'SET', 'requirepass', password)
    this.#password = password
    // It ends the connection that asks as well.
    await this.ask('CLIENT', 'KILL', 'TYPE', 'normal').catch(() => {})
    await this.ask('CLIENT', 'KILL', 'TYPE', 'pubsub')
  }

  async end(): Promise<void> {
    await this.kill()
    process.off('exit', this.#onExit)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

export async function startRedis(t: Test, options: RedisOptions = {}): Promise<RedisServer> {
  const [port = 0] = options.port ? [options.port] : await freePorts('127.0.0.1', [0])
  const server = new RedisServer(port, options)
  t.teardown(() => server.end())
  await server.start()
  return server
}

/** A replica of it that has caught up. */
export async function startReplica(t: Test, master: RedisServer): Promise<RedisServer> {
  const replica = await startRedis(t, {
    settings: { replicaof: `127.0.0.1 ${master.port}`, 'repl-diskless-sync-delay': '0' }
  })
  await untilTrue(async () =>
    String(await replica.ask('INFO', 'replication')).includes('master_link_status:up')
  )
  return replica
}

/** A Sentinel that watches it alone, and decides alone. */
export async function startSentinel(
  t: Test,
  name: string,
  master: RedisServer
): Promise<RedisServer> {
  const [port = 0] = await freePorts('127.0.0.1', [0])
  const sentinel = new RedisServer(port, { sentinelOf: { name, port: master.port } })
  t.teardown(() => sentinel.end())
  await sentinel.start()
  return sentinel
}

/** Asks again and again; what happens in another process cannot be waited for otherwise. */
export async function untilTrue(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let left = 3000; left > 0; left--) {
    if (await holds()) return
    await sleep(10)
  }
  throw new Error('It never came to that.')
}
