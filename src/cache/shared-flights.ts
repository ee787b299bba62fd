/**
 * One flight for equal requests on all replicas. Who comes first to a page that the store does not
 * have takes a lease with a token, and makes the call; the others wait for a message:
 *
 * - the page is there: it is theirs as well, if it is what they wanted;
 * - the call failed: they fail alike, because a budget of two calls a second forbids everyone to
 *   try again; that it never got a slot, or was called off, is no failure: the next one leads;
 * - nothing is heard any more from the holder: its lease ends, and the next one leads. A call of
 *   the first may have gone out, so that is at most one more, which the schedule counts; whose time
 *   was over by then had its call, and is told that nobody knows what came of it;
 * - who has no time left for that, while the holder's call has not left and one of its own could,
 *   takes the lease over; the holder, if it lives, calls its own off and waits with the others;
 * - a holder that was suspended beyond its lease has an older token, and overwrites nothing; if its
 *   call has not left, it makes way for its successor;
 * - the store is gone: each replica by itself.
 *
 * Nobody waits longer for another replica's call than for one of its own: until the deadline for
 * it to be sent, and then as long as it takes.
 */

import type { Clock, Timer } from '../clock.ts'
import type { Page } from '../page.ts'
import type { Need, Stored } from '../ports.ts'
import { endOf, failureIn, free } from './flight-messages.ts'
import { FollowedCall, type Late } from './followed-call.ts'
import type { Landed } from './found.ts'
import { LeaseRenewals } from './lease-renewals.ts'
import { LedFlight } from './led-flight.ts'
import type { Link } from './shared-link.ts'
import type { Approach, Foreign, Lease, SharedPages, Urgency } from './shared-pages.ts'

/** What a flight is to this replica. */
export interface Cargo {
  /** Keeps what another replica fetched, unless what is here is as new. */
  adopt(page: Foreign): Stored<Page>
  /** Whether it is what the flight is for. */
  accepts(page: Stored<Page>): boolean
  /** Whether a call for it could leave at once. */
  hasSlot(): boolean
  call(need: Need): Promise<Landed>
}

export interface SharedFlightsOptions {
  readonly clock: Clock
  readonly link: Link
  readonly pages: SharedPages
}

/** Lost messages are made up for within this. */
const recheckMs = 500

type Held = Extract<Approach, { kind: 'held' }>

export class SharedFlights {
  readonly #options: SharedFlightsOptions
  readonly #renewals: LeaseRenewals
  /** Who waits to hear of which page. */
  readonly #ears = new Map<string, Set<(message: string) => void>>()

  constructor(options: SharedFlightsOptions) {
    this.#options = options
    this.#renewals = new LeaseRenewals(options.clock, options.pages)
    options.link.listen(message => this.#heard(message))
  }

  async fly(key: string, need: Need, cargo: Cargo): Promise<Landed> {
    const { clock, pages } = this.#options
    let seen: Buffer | undefined
    let via: Landed['via'] = 'store'
    let urgency: Urgency = need.priority
    const theirs = new FollowedCall(need, clock.now())
    for (;;) {
      const found = await pages.approach(key, seen, urgency)
      theirs.learn(found)
      if (need.signal.aborted) this.#leave(found, need.signal.reason)
      if (!found) return this.#alone(key, need, cargo)
      if (found.kind === 'page') {
        seen = found.head
        const stored = found.page && cargo.adopt(found.page)
        if (stored && cargo.accepts(stored)) return { stored, kept: true, via }
        continue
      }
      if (found.kind === 'claimed') {
        const landed = await this.#lead(key, need, found.lease, cargo)
        if (landed) return landed
        urgency = need.priority
        continue
      }
      via = 'peer'
      const heard = await this.#follow(pages.idOf(key), theirs, found)
      if (heard === 'look') continue
      if (need.priority !== 'interactive') throw new Error('another replica fetches it')
      // The schedule says in its own words that it is too late, and when it is worth coming back.
      if (heard === 'late') return this.#alone(key, need, cargo)
      if (cargo.hasSlot()) urgency = 'now'
    }
  }

  /** Who is gone by now holds nothing. */
  #leave(found: Approach | undefined, reason: unknown): never {
    if (found?.kind === 'claimed') this.#release(found.lease, free(found.lease.id))
    throw reason
  }

  /** The store did not answer in time; it may take the page all the same. */
  async #alone(key: string, need: Need, cargo: Cargo): Promise<Landed> {
    const { link, pages } = this.#options
    const landed = await cargo.call(need)
    const lease: Lease = { id: pages.idOf(key), token: 0, urgency: need.priority }
    if (link.isUp) pages.put(key, landed.stored, lease).catch(error => link.repair(error))
    return landed
  }

  /** Undefined if somebody more urgent has taken it over. */
  async #lead(key: string, need: Need, lease: Lease, cargo: Cargo): Promise<Landed | undefined> {
    const { link, pages } = this.#options
    const flight = new LedFlight(need, lease, { pages, renewals: this.#renewals })
    const stopListening = this.#listen(lease.id, message => flight.heard(message))
    try {
      const landed = await cargo.call(flight.need)
      pages.put(key, landed.stored, lease).catch(error => link.repair(error))
      return landed
    } catch (error) {
      if (flight.isTaken && !need.signal.aborted) return undefined
      this.#release(lease, endOf(lease.id, error))
      throw error
    } finally {
      flight.end()
      stopListening()
    }
  }

  #release(lease: Lease, says: string): void {
    this.#options.pages.release(lease, says).catch(() => {})
  }

  /** Resolves when it is worth looking again, at the last moment to do something, or too late. */
  #follow(id: string, theirs: FollowedCall, { forMs }: Held): Promise<'look' | Late> {
    const { clock } = this.#options
    const { need } = theirs
    return new Promise((resolve, reject) => {
      const timers: Timer[] = []
      const end = (settle: () => void) => {
        for (const timer of timers) timer.cancel()
        stopListening()
        need.signal.removeEventListener('abort', leave)
        settle()
      }
      const leave = () => end(() => reject(need.signal.reason))
      const look = () => end(() => resolve('look'))
      const stopListening = this.#listen(id, message => {
        const [what] = message.split(' ', 1)
        if (what === 'sent') theirs.sent()
        else if (what === 'failed') end(() => reject(failureIn(message)))
        else if (what === 'again') theirs.cameToNothing(failureIn(message))
        if (what !== 'sent' && what !== 'taken') look()
      })
      need.signal.addEventListener('abort', leave)
      timers.push(clock.after(Math.max(Math.min(forMs, recheckMs), 1), look))
      if (theirs.isSent) return
      const now = clock.now()
      const late = () => end(() => resolve(theirs.latenessAt(clock.now())))
      timers.push(clock.after(theirs.lateAt(now) - now, late))
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
