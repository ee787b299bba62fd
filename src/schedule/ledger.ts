/**
 * The sliding-window ledger: pure arithmetic over (history, now), no clock, no timers.
 *
 * The rule: a slot is taken before a call is sent and comes free one window, and a small guard,
 * after its **answer**. Why that keeps the law, whatever the network does: take any window at the
 * upstream and the last-sent call that arrived in it. Every other call that arrived in that window
 * was answered after the window began, so its slot was still held when the last one was sent;
 * slots held at one time are at most the limit. Counting from the send instead would let a call
 * that lingered on the way arrive together with the next window's.
 *
 * A call without an answer may still arrive. It is given up, at its time-out or when its connection
 * breaks, and counts as answered a margin later. That is the one thing assumed of the network: what
 * was given up arrives within the margin or never. A process that is killed gives nothing up; its
 * successor does it, no sooner than at the time-out (journal-history.ts).
 */

export interface LedgerOptions {
  /** Slots; more only if `restored` holds more. */
  readonly limit: number
  readonly windowMs: number
  /** When calls of an earlier process were done, by slot. Nobody's team holds them. */
  readonly restored?: readonly number[]
}

/** Covers timers that fire up to 1 ms early and clocks that run at slightly different rates. */
export const guardMs = 20

/** How long after giving up on a call the upstream may still see it arrive. */
export const giveUpMarginMs = 1000

/** A call that was sent and is not settled. */
export interface Flying {
  readonly slot: number
  readonly team: string
  readonly sentAt: number
}

/** A slot as the ledger holds it: until when, or undefined while its call is in flight. */
export interface HeldSlot {
  readonly slot: number
  readonly freeAt: number | undefined
}

/** What others hold of the same limit: when each slot comes free, and how many each team has. */
export interface Elsewhere {
  readonly freeAt: readonly number[]
  readonly byTeam: ReadonlyMap<string, number>
}

export const nothingElsewhere: Elsewhere = { freeAt: [], byTeam: new Map() }

interface Ending {
  readonly slot: number
  readonly team: string
  readonly freeAt: number
}

/** For those who look and do not send. */
export type LedgerView = Omit<Ledger, 'take' | 'settle' | 'release' | 'mirror'>

const nobody = ''

export class Ledger {
  readonly #windowMs: number
  readonly #capacity: number
  /** Slots that were held before, and the first of those that never were. */
  #free: number[] = []
  #next: number
  readonly #flying = new Map<number, Flying>()
  /** Settled calls whose slots are still held, soonest free first. */
  #endings: Ending[] = []
  readonly #heldBy = new Map<string, number>()
  readonly #flyingBy = new Map<string, number>()
  #elsewhere = nothingElsewhere

  constructor({ limit, windowMs, restored = [] }: LedgerOptions) {
    this.#windowMs = windowMs
    this.#capacity = Math.max(limit, restored.length)
    this.#next = restored.length
    for (const [slot, doneAt] of restored.entries()) this.#end(slot, nobody, doneAt)
  }

  get inFlight(): number {
    return this.#flying.size
  }

  get flying(): Iterable<Flying> {
    return this.#flying.values()
  }

  /** Slots held at `now`. */
  used(now: number): number {
    this.#forget(now)
    return this.#flying.size + this.#endings.length + this.#elsewhere.freeAt.length
  }

  /** Each slot held, and until when; undefined while its call is in flight. */
  held(now: number): HeldSlot[] {
    this.#forget(now)
    const flying = Array.from(this.#flying.keys(), slot => ({ slot, freeAt: undefined }))
    return [...flying, ...this.#endings.map(({ freeAt, slot }) => ({ slot, freeAt }))]
  }

  /** How many slots each team holds here. */
  heldByTeam(now: number): Record<string, number> {
    this.#forget(now)
    return Object.fromEntries(this.#heldBy)
  }

  /** What others hold of the same limit, in place of what they held before. */
  mirror({ byTeam, freeAt }: Elsewhere): void {
    this.#elsewhere = { byTeam, freeAt: freeAt.toSorted((a, b) => a - b) }
  }

  /** Calls that could be sent from here at once, were all slots elsewhere free. */
  room(now: number): number {
    this.#forget(now)
    return this.#capacity - this.#flying.size - this.#endings.length
  }

  /** Slots that a team holds at `now`, also elsewhere. */
  heldBy(team: string, now: number): number {
    this.#forget(now)
    return (this.#heldBy.get(team) ?? 0) + (this.#elsewhere.byTeam.get(team) ?? 0)
  }

  /** Calls of a team that are in flight. */
  flyingOf(team: string): number {
    return this.#flyingBy.get(team) ?? 0
  }

  /** Takes a slot for a call that is about to be sent; undefined if none is free. */
  take(team: string, now: number): number | undefined {
    this.#forget(now)
    const slot = this.#free.pop() ?? this.#fresh()
    if (slot === undefined) return undefined
    this.#flying.set(slot, { slot, team, sentAt: now })
    count(this.#heldBy, team, 1)
    count(this.#flyingBy, team, 1)
    return slot
  }

  /** The call can no longer arrive after `doneAt`: its slot comes free one window and the guard later. */
  settle(slot: number, doneAt: number): void {
    const { team } = this.#land(slot)
    this.#end(slot, team, doneAt)
  }

  /** The call certainly never left: its slot is free at once. */
  release(slot: number): void {
    const { team } = this.#land(slot)
    this.#drop(slot, team)
  }

  /** When the next settled slot comes free; undefined while only calls in flight hold slots. */
  nextFreeAt(now: number): number | undefined {
    this.#forget(now)
    const [own, elsewhere] = [this.#endings[0]?.freeAt, this.#elsewhere.freeAt[0]]
    return own === undefined || elsewhere === undefined
      ? (own ?? elsewhere)
      : Math.min(own, elsewhere)
  }

  /** By how long the last settled slot is held beyond what it would be if it were settled now. */
  settledAheadMs(now: number): number {
    const { freeAt } = this.#endings.at(-1) ?? { freeAt: now }
    return Math.max(freeAt - this.heldAfterMs - now, 0)
  }

  /** How long a slot stays held after its call was settled, in milliseconds. */
  get heldAfterMs(): number {
    return this.#windowMs + guardMs
  }

  /** No more calls than these can be sent until `until`, however soon they are answered. */
  mostUntil(until: number, now: number): number {
    const open = this.#capacity - this.used(now)
    const freed =
      this.#endings.filter(({ freeAt }) => freeAt <= until).length +
      this.#elsewhere.freeAt.filter(freeAt => freeAt <= until).length
    // A slot that is taken from now on can be taken again only so often.
    const again = Math.floor(Math.max(until - now, 0) / this.heldAfterMs)
    return open + freed + again * this.#capacity
  }

  /** The same state again, to be played forward. */
  clone(): Ledger {
    const copy = new Ledger({ limit: this.#capacity, windowMs: this.#windowMs })
    copy.#free = this.#free.slice()
    copy.#next = this.#next
    copy.#endings = this.#endings.slice()
    copy.#elsewhere = this.#elsewhere
    for (const [slot, call] of this.#flying) copy.#flying.set(slot, call)
    for (const [team, held] of this.#heldBy) copy.#heldBy.set(team, held)
    for (const [team, flying] of this.#flyingBy) copy.#flyingBy.set(team, flying)
    return copy
  }

  #fresh(): number | undefined {
    return this.#next < this.#capacity ? this.#next++ : undefined
  }

  #land(slot: number): Flying {
    const call = this.#flying.get(slot)
    if (!call) throw new Error(`slot ${slot} is not in flight`)
    this.#flying.delete(slot)
    count(this.#flyingBy, call.team, -1)
    return call
  }

  #end(slot: number, team: string, doneAt: number): void {
    const freeAt = doneAt + this.heldAfterMs
    let at = this.#endings.length
    while (at > 0 && this.#endings[at - 1]!.freeAt > freeAt) at--
    this.#endings.splice(at, 0, { slot, team, freeAt })
  }

  #forget(now: number): void {
    // Asked at every turn, and nearly always there is nothing to do.
    const { byTeam, freeAt } = this.#elsewhere
    if (freeAt.length > 0 && freeAt[0]! <= now) {
      this.#elsewhere = { byTeam, freeAt: freeAt.filter(at => at > now) }
    }
    if (this.#endings.length === 0 || this.#endings[0]!.freeAt > now) return
    let gone = 1
    while (gone < this.#endings.length && this.#endings[gone]!.freeAt <= now) gone++
    for (const { slot, team } of this.#endings.splice(0, gone)) this.#drop(slot, team)
  }

  #drop(slot: number, team: string): void {
    this.#free.push(slot)
    count(this.#heldBy, team, -1)
  }
}

/** Keeps no entry for a team that has none. */
function count(counts: Map<string, number>, team: string, change: number): void {
  const left = (counts.get(team) ?? 0) + change
  if (left > 0) counts.set(team, left)
  else counts.delete(team)
}
