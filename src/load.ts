/**
 * Ground floor: how much this process has to do, and a place behind it. Whoever has heavy work, or
 * wants to know how long others wait, stands in one line with what comes from the network.
 */

export interface Load {
  /** Calls `run` once, when all input that has arrived by now was handled; also from such a call. */
  afterInput(run: () => void): void
  /** Milliseconds of a processor that the event loop's thread has used so far. */
  busyMs(): number
}

/**
 * Messages to ourselves, and what is to be done when they arrive. They wait where input does. Timers
 * do not; while a thousand sockets always have something to read, they are not looked at for seconds.
 */
class Line {
  readonly #channel = new MessageChannel()
  readonly #runs: (() => void)[] = []

  constructor() {
    this.#channel.port1.onmessage = () => this.#arrived()
    this.#channel.port1.unref()
  }

  push(run: () => void): void {
    this.#runs.push(run)
    this.#channel.port2.postMessage(undefined)
  }

  #arrived(): void {
    running = this
    try {
      this.#runs.shift()?.()
    } finally {
      running = undefined
    }
  }
}

/** Two: what a port is sent while it hands out a message it hands out as well, before any input. */
const lines = [new Line(), new Line()] as const
let running: Line | undefined

export const systemLoad: Load = {
  afterInput(run) {
    const line = running === lines[0] ? lines[1] : lines[0]
    line.push(run)
  },
  busyMs() {
    const { system, user } = process.threadCpuUsage()
    return (system + user) / 1000
  }
}
