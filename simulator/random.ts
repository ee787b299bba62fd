/**
 * A small seeded generator (mulberry32): the same seeds give the same numbers on every machine, so
 * a failing run can be repeated from its seed alone. Good enough for data and jitter, not for
 * secrets.
 */

export class Random {
  #state = 0

  /** Several seeds name one of many independent streams, e.g. (seed, index of the chat). */
  constructor(...seeds: readonly number[]) {
    for (const seed of seeds) this.#state = scramble(this.#state ^ seed)
  }

  /** A number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    return (scramble(this.#state) >>> 0) / 2 ** 32
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.next() * bound)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T
  }
}

function scramble(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 15), value | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return mixed ^ (mixed >>> 14)
}
