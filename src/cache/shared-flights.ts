/**
 * One flight for equal requests on all replicas. Who comes first to a page that the store does not
 * have takes a lease with a token, and makes the call; the others wait for a message:
 *
 * - the page is there: it is theirs as well, if it is what they wanted;
 * - the call failed: they fail alike, because a budget of two calls a second forbids everyone to
 *   try again; that it never got a slot, or was called off, is no failure: the next one leads;
 * - nothing is heard any more from the holder: its lease ends, and the next one leads. A call of
 *   the first may have gone out, so that is at most one more, which the schedule counts;
 * - a holder that was suspended beyond its lease has an older token, and overwrites nothing;
 * - the store is gone: each replica by itself.
 *
 * Nobody waits longer for another replica's call than for one of its own: until the deadline for
 * it to be sent, and then as long as it takes.
 */

import type { Clock, Timer } from '../clock.ts'
import { type ErrorCode, errorKinds, ServiceError } from '../errors.ts'
import type { Page } from '../page.ts'
import type { Need, Stored } from '../ports.ts'
import type { Landed } from './found.ts'
import type { Link } from './shared-link.ts'
import { type Foreign, type Lease, leaseMs, type SharedPages } from './shared-pages.ts'

/** What a flight is to this replica. */
export interface Cargo {
  /** Keeps what another replica fetched, unless what is here is as new. */
  adopt(page: Foreign): Stored<Page>
  /** Whether it is what the flight is for. */
  accepts(page: Stored<Page>): boolean
  call(need: Need): Promise<Landed>
}

export interface SharedFlightsOptions {
  readonly clock: Clock
  readonly link: Link
  readonly pages: SharedPages
}

/** Lost messages are made up for within this. */
const recheckMs = 500

export class SharedFlights {
  readonly #options: SharedFlightsOptions
  /** Who waits to hear of which page. */
  readonly #ears = new Map<string, Set<(message: string) => void>>()

  constructor(options: SharedFlightsOptions) {
    this.#options = options
    options.link.listen(message => this.#heard(message))
  }

  async fly(key: string, need: Need, cargo: Cargo): Promise<Landed> {
    const { pages } = this.#options
    let seen: Buffer | undefined
    let via: Landed['via'] = 'store'
    for (;;) {
      const found = await pages.approach(key, seen, need.priority)
      need.signal.throwIfAborted()
      if (!found) return this.#alone(key, need, cargo)
      if (found.kind === 'page') {
        seen = found.head
        const stored = found.page && cargo.adopt(found.page)
        if (stored && cargo.accepts(stored)) return { stored, kept: true, via }
      } else if (found.kind === 'claimed') {
        const landed = await this.#lead(key, need, found.lease, cargo)
        if (landed) return landed
      } else {
        const heard = await this.#follow(pages.idOf(key), need, found)
        // The schedule says in its own words that it is too late, and when it is worth coming back.
        if (heard === 'late' && need.priority === 'interactive') return cargo.call(need)
        if (heard === 'late') throw new Error('another replica fetches it')
        via = 'peer'
      }
    }
  }

  /** The store did not answer in time; it may take the page all the same. */
  async #alone(key: string, need: Need, cargo: Cargo): Promise<Landed> {
    const { link, pages } = this.#options
    const landed = await cargo.call(need)
    const lease: Lease = { id: pages.idOf(key), token: 0, priority: need.priority }
    if (link.isUp) pages.put(key, landed.stored, lease).catch(error => link.repair(error))
    return landed
  }

  /** Undefined if somebody more urgent has taken it over. */
  async #lead(key: string, need: Need, lease: Lease, cargo: Cargo): Promise<Landed | undefined> {
    const { link, pages } = this.#options
    const flight = new LedFlight(need, lease, this.#options)
    const stopListening = this.#listen(lease.id, message => flight.heard(message))
    try {
      const landed = await cargo.call(flight.need)
      pages.put(key, landed.stored, lease).catch(error => link.repair(error))
      return landed
    } catch (error) {
      if (flight.isTaken && !need.signal.aborted) return undefined
      pages.release(lease, failureMessage(lease.id, error)).catch(() => {})
      throw error
    } finally {
      flight.end()
      stopListening()
    }
  }

  /** Resolves when it is worth looking again; `late` if the call can no longer be waited for. */
  #follow(
    id: string,
    need: Need,
    { forMs, isSent }: { readonly forMs: number; readonly isSent: boolean }
  ): Promise<'look' | 'late'> {
    const { clock } = this.#options
    return new Promise((resolve, reject) => {
      const timers: Timer[] = []
      const end = (settle: () => void) => {
        for (const timer of timers) timer.cancel()
        stopListening()
        need.signal.removeEventListener('abort', leave)
        settle()
      }
      const leave = () => end(() => reject(need.signal.reason))
      const stopListening = this.#listen(id, message => {
        if (message.startsWith('sent ')) need.onSent?.()
        else if (message.startsWith('failed ')) end(() => reject(failureOf(message)))
        else if (!message.startsWith('taken ')) end(() => resolve('look'))
      })
      need.signal.addEventListener('abort', leave)
      if (isSent) need.onSent?.()
      else {
        const late = () => (clock.now() < need.deadline ? 'look' : 'late')
        timers.push(clock.after(need.deadline - clock.now(), () => end(() => resolve(late()))))
      }
      const lookInMs = Math.max(Math.min(forMs, recheckMs), 1)
      timers.push(clock.after(lookInMs, () => end(() => resolve('look'))))
    })
  }

  #listen(id: string, ear: (message: string) => void): () => void {
    const ears = this.#ears.get(id) ?? new Set()
    this.#ears.set(id, ears)
    ears.add(ear)
    return () => {
      ears.delete(ear)
      if (ears.size === 0 && this.#ears.get(id) === ears) this.#ears.delete(id)
    }
  }

  #heard(message: string): void {
    const id = message.split(' ', 2)[1]
    const ears = id === undefined ? [...this.#ears.values()] : [this.#ears.get(id) ?? []]
    for (const ear of ears.flatMap(some => [...some])) ear(message)
  }
}

/** A flight that this replica leads: says that it lives, and when its call has left. */
class LedFlight {
  readonly need: Need
  readonly #taken = new AbortController()
  readonly #lease: Lease
  readonly #options: SharedFlightsOptions
  #timer: Timer | undefined
  #isSent = false

  constructor(need: Need, lease: Lease, options: SharedFlightsOptions) {
    this.#lease = lease
    this.#options = options
    const signal = AbortSignal.any([need.signal, this.#taken.signal])
    this.need = observed(need, signal, () => this.#sent())
    this.#renewLater()
  }

  get isTaken(): boolean {
    return this.#taken.signal.aborted
  }

  heard(message: string): void {
    const isOurs = message === `taken ${this.#lease.id} ${this.#lease.token}`
    if (isOurs && !this.#isSent) this.#taken.abort(new Error('a more urgent flight took over'))
  }

  end(): void {
    this.#timer?.cancel()
  }

  #sent(): void {
    this.#isSent = true
    this.#hold(`sent ${this.#lease.id}`)
  }

  #renewLater(): void {
    this.#timer = this.#options.clock.after(leaseMs / 3, () => {
      this.#hold()
      this.#renewLater()
    })
  }

  #hold(says?: string): void {
    this.#options.pages.hold(this.#lease, this.#isSent, says).catch(() => {})
  }
}

/** The need itself, seen through: it changes as callers come and go. */
function observed(need: Need, signal: AbortSignal, onSent: () => void): Need {
  return {
    get team() {
      return need.team
    },
    get teams() {
      return need.teams ?? [need.team]
    },
    get priority() {
      return need.priority
    },
    get deadline() {
      return need.deadline
    },
    get hasFallback() {
      return need.hasFallback ?? false
    },
    signal,
    onSent: () => {
      onSent()
      need.onSent?.()
    },
    onRetry: failure => need.onRetry?.(failure),
    onQueued: look => need.onQueued?.(look),
    onJoin: listener => need.onJoin?.(listener)
  }
}

/** What others are told: a failure of the call is theirs too, anything else only says "your turn". */
function failureMessage(id: string, error: unknown): string {
  if (!(error instanceof ServiceError) || error.contact === undefined) return `free ${id}`
  const { code, contact, entries, message, retryAfterMs, upstreamStatus } = error
  return `failed ${id} ${JSON.stringify({ code, message, contact, entries, retryAfterMs, upstreamStatus })}`
}

function failureOf(text: string): Error {
  try {
    const { code, message, ...options } = JSON.parse(text.split(' ').slice(2).join(' '))
    if (!(code in errorKinds)) throw new Error('no code of ours')
    return new ServiceError(code as ErrorCode, message, options)
  } catch {
    return new ServiceError('upstream_error', 'HelpCrunch failed.')
  }
}
