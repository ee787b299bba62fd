/** Which service this is, for operators who look at several. */

import { hostname } from 'node:os'
import about from '../../package.json' with { type: 'json' }
import type { Clock } from '../clock.ts'

export interface ServiceInstance {
  readonly name: string
  readonly version: string
  /** `Clock.now()` and `Clock.wall()` at the start. */
  readonly startedAt: number
  readonly startedAtWall: number
  /** This process among those of all machines. */
  readonly instance: string
}

export function serviceInstance(clock: Clock): ServiceInstance {
  return {
    name: about.name,
    version: about.version,
    startedAt: clock.now(),
    startedAtWall: clock.wall(),
    instance: `${hostname()}/${process.pid}`
  }
}
