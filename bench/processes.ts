/**
 * Child processes and folders of a bench, none of which outlives it: whatever is still there when
 * the bench ends, by itself, by an error or by Ctrl-C, is ended by its own process id or removed.
 * Only `kill -9` of the bench leaves something behind; children with a channel notice that, too.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface ScriptOptions {
  readonly script: URL
  readonly args?: readonly string[]
  /** The whole environment besides PATH. */
  readonly env?: Readonly<Record<string, string>>
  readonly folder?: string
  /** Whether it can be sent messages. */
  readonly channel?: boolean
  /** Whether it tells the address of its inspector on stderr, which is then for its starter. */
  readonly inspected?: boolean
}

const signals = { SIGINT: 2, SIGTERM: 15 } as const

const children = new Set<ChildProcess>()
const folders = new Set<string>()

/** To be called once, before anything is started. */
export function leaveNothingBehind(): void {
  process.on('exit', () => {
    for (const child of children) child.kill('SIGKILL')
    for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  })
  for (const [signal, number] of Object.entries(signals)) {
    process.once(signal, () => process.exit(128 + number))
  }
}

/** Runs a script with the Node that runs us. Its stdout is dropped, its stderr is ours. */
export function startScript(options: ScriptOptions) {
  const { args = [], channel, env, folder, inspected, script } = options
  const flags = inspected ? ['--inspect=127.0.0.1:0'] : []
  const child = spawn(process.execPath, [...flags, fileURLToPath(script), ...args], {
    stdio: [
      ...(['ignore', 'ignore', inspected ? 'pipe' : 'inherit'] as const),
      ...(channel ? (['ipc'] as const) : [])
    ],
    env: { PATH: process.env.PATH, ...env },
    ...(folder && { cwd: folder })
  })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

/** `kill -9`; resolves when the process is gone, and its ports and locks with it. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'helpcrunch-bench-'))
  folders.add(folder)
  return folder
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
  folders.delete(folder)
}
