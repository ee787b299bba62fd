import type { Load } from '../load.ts'

/**
 * Heavy work, one piece at a time, with what has come in meanwhile in between. Forty pages that
 * arrive in one moment would otherwise be read one after the other, and whoever can be answered
 * from memory would wait for all.
 */
export class Turns {
  readonly #load: Pick<Load, 'afterInput'>
  readonly #waiting: (() => void)[] = []
  #isTaken = false

  constructor(load: Pick<Load, 'afterInput'>) {
    this.#load = load
  }

  /** At once if nobody has had this turn; else whoever has waited longest comes first. */
  next(): Promise<void> | undefined {
    if (this.#isTaken) return new Promise(resolve => this.#waiting.push(resolve))
    this.#take()
    return undefined
  }

  #take(): void {
    this.#isTaken = true
    this.#load.afterInput(() => {
      this.#isTaken = false
      const first = this.#waiting.shift()
      if (!first) return
      this.#take()
      first()
    })
  }
}
