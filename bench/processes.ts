/**
 * Child processes and folders of a bench, none of which outlives it: whatever is still there when
 * the bench ends, by itself, by an error or by Ctrl-C, is ended by its own process id or removed.
 * Only `kill -9` of the bench leaves something behind; children with a channel notice that, too.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface ScriptOptions extends CommandOptions {
  readonly script: URL
  readonly args?: readonly string[]
}

export interface CommandOptions {
  /** The whole environment besides PATH. */
  readonly env?: Readonly<Record<string, string>>
  readonly folder?: string
  /** Whether it can be sent messages. */
  readonly channel?: boolean
  /** Whether it tells the address of its inspector on stderr, which is then for its starter. */
  readonly inspected?: boolean
  /** The file to which everything it writes is added. */
  readonly output?: string
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

/** Runs a script with the Node that runs us; see `startCommand`. */
export function startScript({ script, args = [], ...options }: ScriptOptions): ChildProcess {
  const [node = '', ...command] = commandOf(script, args)
  const flags = options.inspected ? ['--inspect=127.0.0.1:0'] : []
  return startCommand([node, ...flags, ...command], options)
}

export function commandOf(script: URL, args: readonly string[] = []): string[] {
  return [process.execPath, fileURLToPath(script), ...args]
}

/** Its stdout is dropped and its stderr is ours, unless there is a file for both. */
export function startCommand(command: readonly string[], options: CommandOptions): ChildProcess {
  const { channel, env, folder, inspected, output } = options
  const [name = '', ...args] = command
  const file = output === undefined ? undefined : openSync(output, 'a')
  const child = spawn(name, args, {
    stdio: [
      ...(['ignore', file ?? 'ignore', file ?? (inspected ? 'pipe' : 'inherit')] as const),
      ...(channel ? (['ipc'] as const) : [])
    ],
    env: { PATH: process.env.PATH, ...env },
    ...(folder && { cwd: folder })
  })
  if (file !== undefined) closeSync(file)
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

/**
 * What a command prints until it ends.
 *
 * @throws {Error} if it cannot be run, or fails
 */
export async function outputOf([name = '', ...args]: readonly string[]): Promise<string> {
  const child = spawn(name, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  const texts = [child.stdout, child.stderr].map(stream => stream.setEncoding('utf8').toArray())
  try {
    const [code] = await once(child, 'close')
    const [printed = '', said = ''] = (await Promise.all(texts)).map(parts => parts.join(''))
    if (code !== 0) throw new Error(`${name} failed: ${said.trim()}`)
    return printed
  } finally {
    children.delete(child)
  }
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
