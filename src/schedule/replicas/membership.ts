/**
 * One budget for several replicas. The law, over every window, counted where the upstream counts:
 * all replicas' calls together are at most the limit, while the store answers, while it does not,
 * and at the moments between. Who may send what, when, and why the sum holds:
 *
 * 1. **With the store.** A call needs a grant, and leaves within `sendWithinMs` of asking for it,
 *    by the asker's clock, so certainly no later after it was granted. The store keeps the slot
 *    until one window after it learns of the answer, and takes off how long ago that was by the
 *    asker's clock: never too much, because the message was on its way besides. A slot of which it
 *    hears nothing is kept for `leaseMs` (send, time-out, margin) and a window. So ledger.ts's
 *    proof holds with "granted" for "sent": take a window at the upstream and the call in it that
 *    was granted last; every other one was answered after the window began, so its slot was still
 *    held then. An exchange says until when, by the store's clock, it is to be carried out, and
 *    each has a number: one that lay in a buffer, of a process that is dead or of a store that
 *    slept, does nothing.
 *
 * 2. **Shares.** Each member has a share that it may spend without the store. It is told in an
 *    answer, which may be lost; so the store counts for each the larger of what it told it and what
 *    the member said it believes, and tells nobody more than is left. (The sketch we began with,
 *    `limit / members last known`, breaks here: a member that did not hear of a newcomer would
 *    believe in more.) All that anybody can believe is thus never more than the limit.
 *
 * 3. **Cut off.** After a failed exchange a replica uses what grants it has in hand and no others.
 *    The store hears nothing from it: `silentMs` after its last exchange the store sets its share
 *    aside, and grants the others only what is left, for as long as it may be spending. It does not
 *    spend before `silentMs`, lease and window have passed since it last *tried*, so that whatever
 *    the others were granted before its share was set aside has left every window by then; what it
 *    was granted itself has, too. From then on: it sends at most its share by its own ledger, the
 *    others at most the rest by the shared one. It stops `graceMs` later, counted from the last
 *    exchange that *succeeded* (one that it slept through must not prolong anything), and the store
 *    keeps its share aside longer than that. If the store is gone for everybody, all are cut off,
 *    and the shares add up to at most the limit.
 *
 * 4. **Return.** Asking the store whether it is there changes nothing. The exchange that joins
 *    again stops all spending until it is answered, for it may have been carried out: its sends of
 *    the last window are published with it, and its share is no longer set aside. If no answer
 *    comes it counts as a try, and 3 begins anew.
 *
 * 5. **A memory that is gone** (emptied, restarted, failed over) is found out by its epoch and by
 *    the store's run id, which a process that answers instead does not have; one that lost a part
 *    (an evicted key) by the numbers of its parts, which it keeps beside; one that was put back by
 *    the version, which grows with each exchange and which every member remembers. A new epoch
 *    grants nothing until a lease and a window have passed, when every call that the old one may
 *    have granted is over. Of the limit, it grants at first only the shares of those who came back;
 *    the rest may be being spent by who did not, until their grace is certainly over. Shares are
 *    kept in `STATE_DIR`, so that a replica that starts again can account for its own.
 *
 * 6. **The store's clock** decides nothing unless it runs as ours does: every answer is compared
 *    (store-clock.ts) before its grants are used. If it was set, the epoch is ended, as in 5.
 *
 * Assumed: one master at a time (`min-replicas-to-write` ends one that is cut off from its
 * replicas); nobody puts an older memory back into a running store (the first member that has heard
 * of more ends it, a heartbeat later at most); our clock counts time in which the machine sleeps,
 * or the machine does not sleep; a machine that is cloned gets another host name or an empty
 * `STATE_DIR`; an empty store and a replica without `STATE_DIR` that meet while all others are cut
 * off have nobody left who knows of an earlier epoch.
 */

import type { Clock, Timer } from '../../clock.ts'
import { type SharedStore, StoreError } from '../../shared-store.ts'
import { giveUpMarginMs } from '../ledger.ts'
import { Beliefs } from './beliefs.ts'
import { type Alone, CutOff, never } from './cut-off.ts'
import type { Identity } from './identity.ts'
import { LedgerLine } from './ledger-line.ts'
import type { Answer, News, Timed, Wishes } from './shared-ledger.ts'

export interface MembershipOptions {
  readonly clock: Clock
  readonly store: SharedStore
  readonly identity: Identity
  readonly limit: number
  readonly windowMs: number
  /** How long after its send a call is given up. */
  readonly timeoutMs: number
  /** How long a replica that is cut off goes on spending its share. */
  readonly graceMs: number
  /** False if the journal does not know all of this replica's earlier calls. */
  readonly knowsItsCalls: boolean
  readonly log: { info(message: string): void; warn(message: string): void }
}

/** Whose membership it is: what it has to say, and what it wants to hear. */
export interface Party {
  wishes(): Wishes
  /** What happened since it was last asked. */
  news(now: number): News
  /** Forgets what it was granted; its calls that still count, and in how long each will not. */
  calls(now: number): readonly Timed[]
  /** @param useBy our instant until which what was granted may be used */
  heard(answer: Answer, useBy: number): void
  /** Joined, or cut off. */
  changed(): void
}

/** From the question for a grant until its call has left. */
const sendWithinMs = 1000
const heartbeatMs = 1000
/** A few heartbeats. */
const silentMs = 4000
/** Before trying again to join: doubles, because each try that is not answered begins 3 anew. */
const firstRetryMs = 200
const longestRetryMs = 5000

export class Membership {
  readonly #options: MembershipOptions
  readonly #party: Party
  readonly #beliefs: Beliefs
  readonly #line: LedgerLine
  readonly #cutOff: CutOff
  /** From a grant until the upstream certainly does not see its call arrive any more. */
  readonly leaseMs: number
  #standing: 'outside' | 'joining' | 'joined' | 'left' = 'outside'
  #runId: string | undefined
  #lostAt: number
  #retryMs = firstRetryMs
  /** Why it is not joined, as the log has it. */
  #toldReason: string | undefined
  #isAsking = false
  #hasMore = false
  #alarm: Timer | undefined

  constructor(options: MembershipOptions, party: Party) {
    this.#options = options
    this.#party = party
    this.leaseMs = sendWithinMs + options.timeoutMs + giveUpMarginMs
    const beliefs = new Beliefs(options.identity)
    const durations = { ...options, silentMs, leaseMs: this.leaseMs }
    this.#beliefs = beliefs
    this.#line = new LedgerLine({ ...durations, epoch: () => beliefs.epoch })
    this.#cutOff = new CutOff(durations)
    this.#lostAt = options.clock.now()
  }

  /** From now on it joins whenever the store is there. */
  start(): void {
    const { identity, store } = this.#options
    store.subscribe(this.#line.channel + identity.id, () => this.exchange())
    store.watch(state => {
      if (state.state === 'up') {
        this.#runId = state.runId
        this.#retryMs = firstRetryMs
        void this.#join()
      } else this.#lose(state.reason)
    })
  }

  get isJoined(): boolean {
    return this.#standing === 'joined'
  }

  /** When it was lost, or was never there. */
  get lostAt(): number {
    return this.#lostAt
  }

  /** From when until when the share may be spent without the store; see 3. */
  get alone(): Alone {
    return this.#standing === 'outside' ? this.#cutOff.alone(this.#beliefs.share) : never
  }

  /** Tells the shared ledger the news and asks it for what is wished, now or right after this. */
  exchange(): void {
    this.#hasMore = true
    if (!this.#isAsking && this.#standing === 'joined') void this.#exchangeAll()
  }

  /** Signs off, so that others may have its share at once. */
  async leave(): Promise<void> {
    const { clock, limit } = this.#options
    const wasJoined = this.#standing === 'joined'
    this.#standing = 'left'
    this.#alarm?.cancel()
    if (!wasJoined) return
    const now = clock.now()
    const { settled, released } = this.#party.news(now)
    const said = { ...this.#beliefs.member, settled, released }
    const left = await this.#line.leave(said, now).catch(() => undefined)
    // Who leaves last accounts for everything: nobody is there to take its share over.
    if (left) this.#beliefs.left(left.isLast ? limit : 0)
  }

  async #exchangeAll(): Promise<void> {
    this.#isAsking = true
    this.#alarm?.cancel()
    try {
      while (this.#hasMore && this.#standing === 'joined') {
        this.#hasMore = false
        await this.#sync()
      }
    } catch (error) {
      this.#lose(wordsOf(error))
    } finally {
      this.#isAsking = false
    }
  }

  async #sync(): Promise<void> {
    const askedAt = this.#options.clock.now()
    const about = { ...this.#party.wishes(), ...this.#party.news(askedAt) }
    this.#cutOff.tried(askedAt)
    const { nonce } = this.#beliefs
    const answer = await this.#line.sync({ ...this.#beliefs.syncing(), ...about }, askedAt)
    // Meanwhile it may have been lost and joined again.
    if (this.#standing === 'joined' && this.#beliefs.nonce === nonce) this.#hear(answer, askedAt)
  }

  #hear(answer: Answer, askedAt: number): void {
    const { clock } = this.#options
    this.#cutOff.confirmed(askedAt)
    this.#beliefs.heard(answer)
    this.#party.heard(answer, askedAt + sendWithinMs)
    const isWaiting = this.#party.wishes().wants.some(count => count > 0)
    const inMs = Math.min(heartbeatMs, isWaiting ? answer.nextMs + 1 : Infinity)
    this.#alarm?.cancel()
    this.#alarm = clock.after(inMs, () => this.exchange())
  }

  async #join(): Promise<void> {
    const runId = this.#runId
    if (this.#standing !== 'outside' || runId === undefined || !this.#options.store.isUp) return
    this.#alarm?.cancel()
    let undoTry = () => {}
    this.#standing = 'joining'
    try {
      await this.#line.readClock(runId)
      const askedAt = this.#options.clock.now()
      const said = { runId, ...this.#introduction(askedAt) }
      undoTry = this.#cutOff.tried(askedAt)
      this.#joined(await this.#line.join(said, askedAt), askedAt)
    } catch (error) {
      // What was certainly not carried out is not a try.
      if (!isUnknown(error)) undoTry()
      if (this.#standing === 'joining') this.#failToJoin(wordsOf(error))
    }
  }

  #joined(answer: Answer, askedAt: number): void {
    if (this.#standing !== 'joining') return
    this.#standing = 'joined'
    this.#retryMs = firstRetryMs
    this.#toldReason = undefined
    this.#options.log.info(`joined the shared ledger; share if cut off: ${answer.share}`)
    this.#hear(answer, askedAt)
    this.#party.changed()
    if (this.#hasMore) this.exchange()
  }

  #failToJoin(reason: string): void {
    const { clock } = this.#options
    this.#standing = 'outside'
    this.#tell(`the shared ledger cannot be joined: ${reason}`)
    this.#alarm = clock.after(this.#retryMs, () => void this.#join())
    this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs)
    this.#party.changed()
  }

  #lose(reason: string): void {
    if (this.#standing !== 'joined') return
    this.#tell(`the shared ledger is out of reach: ${reason}`)
    this.#standing = 'outside'
    this.#lostAt = this.#options.clock.now()
    this.#alarm?.cancel()
    this.#party.changed()
    // The store may well be there, with another memory.
    void this.#join()
  }

  /** Once for each reason until it is joined again. */
  #tell(reason: string): void {
    if (this.#toldReason === reason) return
    this.#toldReason = reason
    this.#options.log.warn(reason)
  }

  #introduction(now: number) {
    return {
      ...this.#beliefs.joining(now < this.#cutOff.until ? this.#beliefs.share : 0),
      slots: this.#party.calls(now),
      keepsSlots: !this.#options.knowsItsCalls,
      ...this.#party.wishes()
    }
  }
}

/** Whether it may have been carried out although nobody heard of it. */
function isUnknown(error: unknown): boolean {
  return error instanceof StoreError && error.kind === 'unknown'
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
