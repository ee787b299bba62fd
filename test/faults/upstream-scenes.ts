/**
 * One fault of HelpCrunch in front of every state of a page, with the real process: nothing stored,
 * fresh, stale. Two processes serve for all faults, because how long a page is fresh is theirs: for
 * one it is as long as nobody notices, for the other not at all.
 */

import type { Test } from 'tap'
import type { Fault } from '../../simulator/faults.ts'
import { checkProblem } from '../support/answers.ts'
import type { Environment } from '../support/children.ts'
import type { Answer } from '../support/raw-socket.ts'
import type { UpstreamFault } from '../support/upstream-faults.ts'
import { type ServiceProcess, startService } from './service-process.ts'

/** Long enough for whatever goes right, on the slowest machine. */
const timeoutMs = 4_000

const env: Environment = {
  UPSTREAM_TIMEOUT_SECONDS: String(timeoutMs / 1000),
  UPSTREAM_MAX_BODY_MB: '2',
  UPSTREAM_CONCURRENCY: '32',
  CACHE_STALE_WHILE_REVALIDATE_SECONDS: '0'
}

/** A page for every fault. */
const chats = 10_000

export interface Scenes {
  readonly fresh: ServiceProcess
  readonly stale: ServiceProcess
}

export async function openScenes(t: Test): Promise<Scenes> {
  const upstream = { chats }
  const [fresh, stale] = await Promise.all(
    ['86400', '0'].map(seconds =>
      startService(t, { upstream, env: { ...env, CACHE_FRESH_SECONDS: seconds } })
    )
  )
  return { fresh: fresh!, stale: stale! }
}

/** A page that nobody else asks for, and what becomes of the calls for it. */
class Page {
  readonly #service: ServiceProcess
  readonly #offset: number
  readonly #fault: () => Fault
  #isBroken = false

  constructor(service: ServiceProcess, fault: () => Fault, offset: number) {
    this.#service = service
    this.#offset = offset
    this.#fault = fault
  }

  get calls(): number {
    return this.#service.simulator.arrivals().filter(({ target }) => this.#isOurs(target)).length
  }

  break(): void {
    this.#isBroken = true
    const match = (target: string) => this.#isBroken && this.#isOurs(target)
    // More than anybody may call.
    for (let calls = 0; calls < 4; calls++) {
      this.#service.simulator.fault({ ...this.#fault(), match })
    }
  }

  mend(): void {
    this.#isBroken = false
  }

  ask(): Promise<Answer> {
    return this.#service.get(`/chats?limit=3&offset=${this.#offset}`)
  }

  /** Two at once, who wait for the same. */
  askTwice(): Promise<readonly Answer[]> {
    return Promise.all([this.ask(), this.ask()])
  }

  #isOurs(target: string): boolean {
    const offset = Number(/offset=(\d+)/.exec(target)?.[1])
    // A page that came back short is completed from where it ended.
    return offset >= this.#offset && offset < this.#offset + 100
  }
}

let pages = 0

/** Cold: our own problem; not stored. Fresh: nothing is noticed. Stale: the old answer, marked. */
export async function play(t: Test, { fresh, stale }: Scenes, row: UpstreamFault): Promise<void> {
  const offset = 100 * pages++
  const fault = () => row.fault(Date.now())
  const cold = new Page(fresh, fault, offset)
  cold.break()
  for (const answer of await cold.askTwice()) {
    const { retryAfter = 0 } = checkProblem(t, answer, { status: row.status, code: row.code })
    const [least, most] = row.retryAfter ?? [0, Infinity]
    t.ok(retryAfter >= least && retryAfter <= most, `Retry-After ${retryAfter}`)
  }
  t.equal(cold.calls, row.calls ?? 1, 'calls that it cost')

  cold.mend()
  const stored = await cold.ask()
  t.match(stored.headers.get('cache-status'), 'fwd=uri-miss; fwd-status=200; stored')
  t.equal(JSON.parse(stored.body).data.length, 3)
  const calls = cold.calls
  cold.break()
  for (const answer of await cold.askTwice()) {
    t.same([answer.status, answer.body], [200, stored.body], 'fresh')
    t.match(answer.headers.get('cache-status'), /^helpcrunch-proxy; hit; ttl=\d+$/)
  }
  t.equal(cold.calls, calls, 'for which nobody was asked')
  await playStale(t, new Page(stale, fault, offset), row.code)
}

async function playStale(t: Test, page: Page, code: string): Promise<void> {
  const old = await page.ask()
  t.equal(old.status, 200)
  page.break()
  const answers = await page.askTwice()
  for (const { status, body } of answers) t.same([status, body], [200, old.body], 'stale')
  const marks = answers.map(({ headers }) => headers.get('cache-status') ?? '')
  // Whoever comes right after the failure is not made to wait for another.
  t.ok(
    marks.some(mark => mark.endsWith(`; detail=${code}`)),
    marks.join()
  )
  for (const mark of marks) t.match(mark, /^helpcrunch-proxy; hit; ttl=-\d+/)
  for (const { headers } of answers) t.match(headers.get('age'), /^\d+$/)
  page.mend()
  t.not((await page.ask()).headers.get('cache-status')?.includes('detail='), 'and over')
}

/** What the process counted is what arrived, and nothing is left under way. */
export async function checkBooks(t: Test, service: ServiceProcess): Promise<void> {
  const { budget, queue, upstream } = await service.status()
  t.equal(upstream.calls, service.calls(), 'each call was counted')
  t.equal(budget.used, service.calls(), 'against the window, too')
  t.same([budget.inFlight, queue.length], [0, 0], 'and nothing is left')
}
