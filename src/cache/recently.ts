/** Remembers when keys were last noted, for as long as anybody may ask, and then forgets them. */
export class Recently {
  readonly #keepMs: number
  /** In the order of noting, so the oldest come first. */
  readonly #noted = new Map<string, number>()

  constructor(keepMs: number) {
    this.#keepMs = keepMs
  }

  note(key: string, now: number): void {
    this.#noted.delete(key)
    this.#noted.set(key, now)
    for (const [old, at] of this.#noted) {
      if (now - at < this.#keepMs) return
      this.#noted.delete(old)
    }
  }

  /** Whether the key was noted less than `withinMs` ago; at most what is kept. */
  within(key: string, now: number, withinMs: number): boolean {
    const at = this.#noted.get(key)
    return at !== undefined && now - at < withinMs
  }
}
