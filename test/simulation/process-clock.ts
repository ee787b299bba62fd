/**
 * The clock of one process in a simulated world: it stops when the process is suspended, and what
 * fell due meanwhile happens when it goes on; what a killed process had planned never happens.
 */

import type { Clock, Timer } from '../../src/clock.ts'
import type { FakeClock } from '../support/fake-clock.ts'

export class ProcessClock implements Clock {
  readonly #world: FakeClock
  #alive = true
  /** What fell due while the process was suspended, in order. */
  #missed: (() => void)[] | undefined

  readonly #readingMs: number
  #readings = 0

  /** @param readingMs time that goes on between two readings of one moment, as on a real clock */
  constructor(world: FakeClock, readingMs = 0) {
    this.#world = world
    this.#readingMs = readingMs
  }

  now(): number {
    return this.#world.now() + this.#readingMs * this.#readings++
  }

  wall(): number {
    return this.#world.wall()
  }

  after(delayMs: number, run: () => void): Timer {
    let cancelled = false
    const act = () => {
      if (this.#alive && !cancelled) run()
    }
    const timer = this.#world.after(delayMs, () => {
      if (this.#missed) this.#missed.push(act)
      else act()
    })
    return {
      cancel: () => {
        cancelled = true
        timer.cancel()
      }
    }
  }

  /** A dead process sends nothing and learns nothing; a suspended one learns later. */
  unlessDead<Value>(act: () => Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      if (!this.#alive) return
      act().then(
        value => this.after(0, () => resolve(value)),
        error => this.after(0, () => reject(error))
      )
    })
  }

  kill(): void {
    this.#alive = false
  }

  /** SIGSTOP, and SIGCONT. */
  suspend(): void {
    this.#missed ??= []
  }

  resume(): void {
    const missed = this.#missed ?? []
    this.#missed = undefined
    for (const act of missed) this.#world.after(0, act)
  }
}
