/**
 * The service as outsiders meet it: the real process, in front of the simulator or of an upstream
 * that a test brings, its two listeners on real sockets. Remembers every byte that it ever wrote,
 * so that the end of a group can look for secrets in all of it.
 */

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePorts } from '../../simulator/free-ports.ts'
import { type Settings, type Simulator, startSimulator } from '../../simulator/upstream.ts'
import type { Status } from '../../src/observe/status.ts'
import { read } from '../support/answers.ts'
import { adminToken, canaries, signingKey } from '../support/canaries.ts'
import { type Child, type Environment, startReadyChild } from '../support/children.ts'
import { type Answer, type Conversation, converse, type Manner } from '../support/raw-socket.ts'
import { apiKey, tokens } from '../support/stack.ts'

export interface ServiceOptions {
  readonly env?: Environment
  readonly upstream?: Partial<Settings>
  /** Another upstream than the simulator. */
  readonly baseUrl?: string
}

export const asBlue = { authorization: `Bearer ${tokens.blue}` }
export const asOperator = { authorization: `Bearer ${adminToken}` }

export async function startService(t: Test, options: ServiceOptions = {}): Promise<ServiceProcess> {
  const simulator = await startSimulator({
    chats: 435,
    apiKey,
    enforce: false,
    ...options.upstream
  })
  t.teardown(() => simulator.close())
  const [port, adminPort] = await freePorts('127.0.0.1', [0, 0])
  const child = await startReadyChild(t, {
    HELPCRUNCH_API_KEY: apiKey,
    HELPCRUNCH_BASE_URL: options.baseUrl ?? simulator.baseUrl,
    TEAM_TOKENS: `blue=${tokens.blue},green=${tokens.green}:2`,
    ADMIN_TOKEN: adminToken,
    WEBHOOK_SIGNING_KEY: signingKey,
    PORT: `${port}`,
    ADMIN_PORT: `${adminPort}`,
    LOG_LEVEL: 'trace',
    UPSTREAM_LIMIT: '100000',
    TEAM_RATE_LIMIT: '0',
    // Calls that nobody asked for are for the tests of these.
    CACHE_ADAPTIVE: 'false',
    CACHE_REFRESH_AHEAD: 'false',
    CACHE_READ_AHEAD: 'false',
    ...options.env
  })
  return new ServiceProcess(child, `http://127.0.0.1:${adminPort}`, simulator)
}

export class ServiceProcess {
  readonly child: Child
  readonly adminUrl: string
  readonly simulator: Simulator
  readonly #heard: Buffer[] = []

  constructor(child: Child, adminUrl: string, simulator: Simulator) {
    this.child = child
    this.adminUrl = adminUrl
    this.simulator = simulator
  }

  get url(): string {
    return this.child.url
  }

  /** The process itself, not a shell in front of it. */
  get pid(): number {
    return this.child.process.pid ?? 0
  }

  /** Log lines so far. */
  get lines(): string[] {
    return this.child.stdout().split('\n').slice(0, -1)
  }

  /** Exactly these bytes, to the callers' listener unless another is named. */
  async send(
    bytes: string | Buffer,
    manner: Manner = {},
    url: string = this.url
  ): Promise<Conversation> {
    const heard = await converse(url, bytes, manner)
    this.#heard.push(heard.bytes)
    return heard
  }

  /** As team blue, unless the headers say otherwise. */
  async get(path: string, init: RequestInit = {}): Promise<Answer> {
    // Without any, fetch adds no-cache of its own to a conditional request.
    const headers = { ...asBlue, 'cache-control': 'no-transform', ...(init.headers as object) }
    return this.#fetch(this.url + path, { ...init, headers })
  }

  async operator(path: string, init: RequestInit = {}): Promise<Answer> {
    return this.#fetch(this.adminUrl + path, { ...init, headers: asOperator })
  }

  async status(): Promise<Status> {
    return JSON.parse((await this.operator('/status')).body)
  }

  /** Calls that have reached the simulator. */
  calls(): number {
    return this.simulator.hits()
  }

  /** Of several tries the quickest, so that who else uses the machine does not count. */
  async quickestMs(bytes: string | Buffer, enoughMs: number): Promise<number> {
    let quickest = Number.POSITIVE_INFINITY
    for (let tries = 0; tries < 20 && quickest >= enoughMs; tries++) {
      const started = performance.now()
      await this.send(bytes)
      quickest = Math.min(quickest, performance.now() - started)
    }
    return quickest
  }

  /** Forgets how much memory it took at most until now. @returns what it takes now, in MB */
  async restPeak(): Promise<number> {
    await writeFile(`/proc/${this.pid}/clear_refs`, '5')
    return this.peak()
  }

  /** The most memory that it took, in MB. */
  async peak(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8')
    return Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) / 1024)
  }

  /** What was read in some other way counts as written as well. */
  heard(bytes: Buffer): void {
    this.#heard.push(bytes)
  }

  async #fetch(url: string, init: RequestInit): Promise<Answer> {
    const answer = await read(fetch(url, { redirect: 'manual', ...init }))
    const head = [...answer.headers].flat().join('\n')
    this.#heard.push(Buffer.from(`${answer.status}\n${head}\n${answer.body}`))
    return answer
  }

  /** Ends it, and looks through everything it ever wrote (S1, S2). */
  async checkEnd(t: Test): Promise<void> {
    for (const path of ['/status', '/metrics', '/', '/explain?path=/chats&team=blue']) {
      t.equal((await this.operator(path)).status, 200, `${path} is answered to the end`)
    }
    this.child.process.kill('SIGTERM')
    t.same(await this.child.ended, { code: 0, signal: null }, 'it ends in order')
    t.equal(this.child.stderr(), '', 'nothing on standard error')
    checkLog(t, this.lines)
    const kept = await filesOf(this.child.folder)
    t.ok(kept.length > 0, 'it has kept a journal')
    const wrote = Buffer.concat([...this.#heard, Buffer.from(this.child.stdout()), ...kept])
    t.ok(wrote.length > 10_000, 'there is something to search')
    const found = canaries.filter(canary => wrote.includes(canary))
    t.same(found, [], 'no secret anywhere in all it wrote')
  }
}

/** Each line is one object of JSON, cut, without what steers a terminal, and is no error. */
function checkLog(t: Test, lines: readonly string[]): void {
  const odd = lines.filter(line => {
    const { level, msg } = JSON.parse(line)
    const isTame = line.length < 2_000 && !/[\p{Cc}\p{Bidi_Control}]/u.test(line)
    return level >= 50 || typeof msg !== 'string' || !isTame
  })
  t.ok(lines.length > 0, 'it has logged')
  t.same(odd, [], 'tame lines of JSON, and no error among them')
}

async function filesOf(folder: string): Promise<Buffer[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile())
  return Promise.all(files.map(({ parentPath, name }) => readFile(join(parentPath, name))))
}
