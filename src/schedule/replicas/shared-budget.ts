/**
 * The budget of one of several replicas: spends what the shared ledger grants it, and its share
 * when it is cut off. `membership.ts` has the argument why all replicas together keep the law; here
 * is what a replica has in hand and what it has to tell.
 */

import type { Clock } from '../../clock.ts'
import type { ReplicasReport } from '../../reports.ts'
import type { Budget, Expectation, Level, Spender } from '../budget.ts'
import { guardMs, nothingElsewhere } from '../ledger.ts'
import { Grants } from './grants.ts'
import { Membership, type MembershipOptions, type Party } from './membership.ts'
import type { Answer, News, Timed, Wishes } from './shared-ledger.ts'

/** So soon after a loss it is worth waiting for the store rather than refusing callers. */
const hopeMs = 3000

/** Nobody who is refused is sent away for longer because of the store, or of who is not heard of. */
const longestAwayMs = 60_000

export class SharedBudget implements Budget, Party {
  readonly #options: MembershipOptions
  readonly #clock: Clock
  readonly #membership: Membership
  readonly #grants = new Grants()
  /** What the shared ledger calls the slots of ours that it knows. */
  readonly #names = new Map<number, string>()
  #spender: Spender = nobody
  /** What the shared ledger believes that we want. */
  #asked: Wishes['wants'] = [0, 0, 0]
  #settled: { readonly name: string; readonly doneAt: number }[] = []
  #released: string[] = []
  #pausedUntil = -Infinity
  #answer: Answer | undefined
  #heldUntil = -Infinity

  constructor(options: MembershipOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#membership = new Membership(options, this)
  }

  // What the schedule asks and tells.

  attach(spender: Spender): void {
    this.#spender = spender
    this.#membership.start()
  }

  granted(now: number): readonly Level[] | undefined {
    const levels = this.#grants.levels(now)
    // What was granted before the store was lost may still be used.
    return this.#membership.isJoined || levels.length > 0 ? levels : undefined
  }

  expectation(now: number): Expectation {
    return this.#membership.isJoined ? this.#expectJoined(now) : this.#expectCutOff(now)
  }

  want(): void {
    const { wants } = this.wishes()
    if (wants.some((count, index) => count !== this.#asked[index])) this.#membership.exchange()
  }

  sent(slot: number, level: Level, now: number): void {
    const grant = this.#grants.take(level, now)
    if (grant) this.#names.set(slot, String(grant.serial))
  }

  settled(slot: number, doneAt: number): void {
    const name = this.#take(slot)
    if (name === undefined) return
    this.#settled.push({ name, doneAt })
    this.#membership.exchange()
  }

  released(slot: number): void {
    const name = this.#take(slot)
    if (name === undefined) return
    this.#released.push(name)
    this.#membership.exchange()
  }

  paused(until: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, until)
    this.#membership.exchange()
  }

  report(): ReplicasReport {
    const now = this.#clock.now()
    const { isJoined } = this.#membership
    const isAlone = !isJoined && this.expectation(now).limit(now) > 0
    return {
      mode: isJoined ? 'joined' : isAlone ? 'alone' : 'cut-off',
      id: this.#options.identity.id,
      mostHeld: this.#answer?.most ?? 0,
      members: (this.#answer?.members ?? []).map(({ held, id, seenMs, share, silent }) => ({
        ...{ id, held, share },
        seenSecondsAgo: seenMs / 1000,
        isSilent: silent
      }))
    }
  }

  leave(): Promise<void> {
    return this.#membership.leave()
  }

  // What the membership asks and tells.

  wishes(): Wishes {
    return {
      wants: this.#spender.demand(),
      workingLimit: this.#spender.workingLimit(),
      teams: this.#spender.heldByTeam()
    }
  }

  news(now: number): News {
    this.#asked = this.#spender.demand()
    const settled = this.#settled.splice(0).map(({ doneAt, name }): Timed => [name, now - doneAt])
    const pauseMs = this.#pausedUntil - now
    return { settled, released: this.#released.splice(0), ...(pauseMs > 0 && { pauseMs }) }
  }

  calls(now: number): readonly Timed[] {
    const { leaseMs } = this.#membership
    this.#grants.giveBack()
    this.#names.clear()
    this.#settled = []
    this.#released = []
    this.#asked = this.#spender.demand()
    return this.#spender.held().map(({ freeAt, slot }): Timed => {
      const name = `held-${slot}`
      if (freeAt === undefined) this.#names.set(slot, name)
      const inMs = freeAt === undefined ? leaseMs + this.#options.windowMs + guardMs : freeAt - now
      return [name, Math.max(inMs, 0)]
    })
  }

  heard(answer: Answer, useBy: number): void {
    const now = this.#clock.now()
    this.#answer = answer
    this.#heldUntil = now + answer.heldMs
    this.#grants.add(answer.grants.map(([serial, level]) => ({ serial, level, useBy })))
    if (answer.pausedMs > 0) this.#spender.pausedElsewhere(now + answer.pausedMs)
    const freeAt = answer.others.map(inMs => this.#freeAt(now, inMs))
    this.#spender.heldElsewhere({ freeAt, byTeam: new Map(Object.entries(answer.teams)) })
    this.#spender.changed()
    this.#giveBack()
  }

  changed(): void {
    if (!this.#membership.isJoined) this.#spender.heldElsewhere(nothingElsewhere)
    this.#spender.changed()
  }

  /** Whoever they were for has left. */
  #giveBack(): void {
    const left = this.#grants.giveBack()
    if (left.length === 0) return
    this.#released.push(...left.map(({ serial }) => String(serial)))
    this.#membership.exchange()
  }

  #take(slot: number): string | undefined {
    const name = this.#names.get(slot)
    this.#names.delete(slot)
    return name
  }

  /** A call in flight is kept for its whole lease, and usually over much sooner. */
  #freeAt(now: number, inMs: number): number {
    return now + Math.min(inMs, this.#options.windowMs + guardMs)
  }

  #expectJoined(now: number): Expectation {
    const size = Math.max(this.#answer?.size ?? 0, 0)
    const from = Math.max(this.#heldUntil, now)
    return {
      limit: at => (at >= from ? size : 0),
      hindrance: 'held',
      nextChangeAt: at => (from > at ? from : Infinity),
      turns: (this.#answer?.waiting ?? 0) + 1,
      // All is set aside for who is silent, and may be back at any moment.
      knownForMs: size > 0 ? Infinity : longestAwayMs
    }
  }

  #expectCutOff(now: number): Expectation {
    const { from, share, until } = this.#membership.alone
    const { lostAt } = this.#membership
    const hopedAt = now < lostAt + hopeMs ? lostAt + hopeMs : Infinity
    return {
      limit: at => {
        if (at > now && at >= hopedAt) return this.#options.limit
        return at >= from && at < until ? share : 0
      },
      hindrance: 'cut-off',
      nextChangeAt: at => Math.min(...[from, until, hopedAt].filter(change => change > at)),
      turns: 1,
      // What has lasted for so long may well last as long again.
      knownForMs: Math.min(Math.max(now - lostAt, hopeMs), longestAwayMs)
    }
  }
}

/** Until the schedule is built. */
const nobody: Spender = {
  demand: () => [0, 0, 0],
  held: () => [],
  heldByTeam: () => ({}),
  workingLimit: () => 0,
  pausedElsewhere: () => {},
  heldElsewhere: () => {},
  changed: () => {}
}
