/**
 * How much of the time this machine gave us: when our own timers came late, how late the upstream's
 * did, and for how long somebody waited for a processor (`/proc/pressure/cpu`, where there is one).
 * What is promised within a time is judged with as much more time as the machine took away.
 */

import { readFileSync } from 'node:fs'
import { systemClock } from '../src/clock.ts'

const everyMs = 100
/** Less is ordinary. */
const lateMs = 50

interface Loss {
  readonly from: number
  readonly to: number
  readonly ms: number
  /** Nothing went on in some process; else somebody waited for a processor now and then. */
  readonly isStall: boolean
}

export class Pressure {
  readonly #losses: Loss[] = []
  readonly #onStall: (from: number, to: number) => void
  #lastTurn = systemClock.now()
  #lastTotalMs = waitedForProcessorMs()
  #lastLook = systemClock.now()
  #pressedMs = 0
  #timer: NodeJS.Timeout | undefined

  /** @param onStall told of every stall that is longer than callers can be expected not to see */
  constructor(onStall: (from: number, to: number) => void) {
    this.#onStall = onStall
  }

  watch(): void {
    this.#timer = setInterval(() => this.#turn(), everyMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Something came late by so much, just now. */
  note(late: number): void {
    if (late < lateMs) return
    const to = systemClock.now()
    this.#losses.push({ from: to - late, to, ms: late, isStall: true })
    if (late >= stallMs) this.#onStall(to - late, to)
  }

  /** How much longer than on an idle machine something may have taken. */
  lostMs(from: number, to: number): number {
    let lost = 0
    for (let index = this.#losses.length - 1; index >= 0; index--) {
      const loss = this.#losses[index]!
      if (loss.to < from - 5000) break
      const overlap = Math.max(0, Math.min(loss.to, to) - Math.max(loss.from, from))
      lost += (overlap / Math.max(loss.to - loss.from, 1)) * loss.ms
    }
    return lost
  }

  /** The longest that nothing went on in one of our own processes, since then. */
  longestStallMs(from: number): number {
    const stalls = this.#losses.filter(({ isStall, to }) => isStall && to >= from)
    return Math.max(0, ...stalls.map(({ ms }) => ms))
  }

  get figures() {
    const part = this.#pressedMs / Math.max(this.#lastLook - this.#startedAt, 1)
    const longestStallMs = Math.round(this.longestStallMs(Number.NEGATIVE_INFINITY))
    return { longestStallMs, processorWantedPercent: 100 * part }
  }

  readonly #startedAt = systemClock.now()

  #turn(): void {
    const now = systemClock.now()
    this.note(now - this.#lastTurn - everyMs)
    this.#lastTurn = now
    if (now - this.#lastLook < 1000) return
    const totalMs = waitedForProcessorMs()
    const ms = totalMs - this.#lastTotalMs
    if (ms > 0) this.#losses.push({ from: this.#lastLook, to: now, ms, isStall: false })
    this.#pressedMs += ms
    this.#lastTotalMs = totalMs
    this.#lastLook = now
  }
}

/** Longer than this, and calls run out of time without anybody's fault. */
const stallMs = 500

function waitedForProcessorMs(): number {
  try {
    const [, total = '0'] =
      /^some .*total=(\d+)/m.exec(readFileSync('/proc/pressure/cpu', 'utf8')) ?? []
    return Number(total) / 1000
  } catch {
    return 0
  }
}
