/** Commands that stay on one core, where the machine has several and the tool for it. */

import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

export const canPin = availableParallelism() > 1 && isInstalled('taskset')

export function pinned(core: number, command: readonly string[]): string[] {
  return canPin ? ['taskset', '-c', String(core), ...command] : [...command]
}

export function isInstalled(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }).status === 0
}
