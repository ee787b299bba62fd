/**
 * Ground floor: tells whoever works on something that nobody waits for it any more. `Signal` is the
 * part of the platform's AbortSignal that the rooms use, so one of those will always do.
 * `Cancellation` is the same for a tenth of the memory, which counts where thousands wait.
 */

/** Called once, with nothing; an object spares whoever waits a closure. */
export type CancelListener = (() => void) | { handleEvent(): void }

export interface Signal {
  readonly aborted: boolean
  /** Why; undefined until then. */
  readonly reason: unknown
  throwIfAborted(): void
  addEventListener(type: 'abort', listener: CancelListener): void
  removeEventListener(type: 'abort', listener: CancelListener): void
}

/** A signal, and the way to set it off. */
export class Cancellation implements Signal {
  #aborted = false
  #reason: unknown
  /** Nearly always the only one, and a list would take more than all the rest. */
  #listener: CancelListener | undefined
  #further: CancelListener[] | undefined

  get aborted(): boolean {
    return this.#aborted
  }

  get reason(): unknown {
    return this.#reason
  }

  /** The first reason stays. */
  abort(reason: unknown): void {
    if (this.#aborted) return
    this.#aborted = true
    this.#reason = reason
    // One by one, because each may take others off.
    for (let next = this.#listener; next; next = this.#listener) {
      this.#listener = this.#further?.shift()
      if (typeof next === 'function') next()
      else next.handleEvent()
    }
  }

  throwIfAborted(): void {
    if (this.#aborted) throw this.#reason
  }

  addEventListener(_: 'abort', listener: CancelListener): void {
    if (this.#aborted || this.#listener === listener || this.#further?.includes(listener)) return
    if (!this.#listener) this.#listener = listener
    else if (this.#further) this.#further.push(listener)
    else this.#further = [listener]
  }

  removeEventListener(_: 'abort', listener: CancelListener): void {
    const at = this.#further?.indexOf(listener) ?? -1
    if (this.#listener === listener) this.#listener = this.#further?.shift()
    else if (at >= 0) this.#further?.splice(at, 1)
  }
}

/** Set off as soon as one of them is. They end together, so nobody has to take it down. */
export function eitherOf(...signals: readonly Signal[]): Signal {
  const either = new Cancellation()
  for (const signal of signals) {
    const abort = () => either.abort(signal.reason)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort)
  }
  return either
}
