/**
 * The service as a real process with a folder that outlives it: it can be killed, started again with
 * what it had kept, and sent signals.
 */

import type { ChildProcess } from 'node:child_process'
import { kill, removeFolder, startScript } from './processes.ts'

export interface ServiceProcessOptions {
  /** The service reads `.env` where it is started. */
  readonly folder: string
  /** The whole of it, besides PATH. */
  readonly environment: Readonly<Record<string, string>>
  /** The file to which everything it writes is added. */
  readonly output?: string
}

export class ServiceProcess {
  readonly #options: ServiceProcessOptions
  #child: ChildProcess | undefined

  constructor(options: ServiceProcessOptions) {
    this.#options = options
  }

  /** Undefined before it is launched and after it was killed. */
  get child(): ChildProcess | undefined {
    return this.#child
  }

  launch(): void {
    const { environment, folder, output } = this.#options
    this.#child = startScript({
      script: new URL('../src/main.ts', import.meta.url),
      ...{ env: environment, folder },
      ...(output !== undefined && { output })
    })
  }

  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child) await kill(child)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  async end(): Promise<void> {
    await this.kill()
    removeFolder(this.#options.folder)
  }
}
