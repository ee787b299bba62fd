/**
 * The wall clock of a process, set by writing a file (libfaketime); its monotonic clock stays real.
 */

import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where Debian and its relatives keep it, whatever the machine is. */
export function libfaketime(): string | undefined {
  const roots = ['/usr/lib', '/usr/local/lib']
  const folders = roots.filter(existsSync).flatMap(root => [
    join(root, 'faketime'),
    ...readdirSync(root)
      .filter(name => name.includes('-linux-'))
      .map(name => join(root, name, 'faketime'))
  ])
  return folders.map(folder => join(folder, 'libfaketime.so.1')).find(existsSync)
}

export class WallClock {
  /** Of a process whose clock it is to be. */
  readonly environment: Readonly<Record<string, string>>
  readonly #setting: string

  /**
   * @param library the path of libfaketime
   * @param setting the path of a file that it may make
   */
  constructor(library: string, setting: string) {
    this.#setting = setting
    this.environment = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: setting,
      FAKETIME_DONT_FAKE_MONOTONIC: '1'
    }
    this.set('+0')
  }

  /** @param step how far it is off, as libfaketime spells it: `+0`, `-1h`, `+10y` */
  set(step: string): void {
    writeFileSync(this.#setting, step)
  }
}
