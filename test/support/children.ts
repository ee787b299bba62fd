/**
 * The real service as a child process: `node src/main.ts` in an empty folder, with exactly the
 * environment that a test gives it. Everything it prints is kept, and it never outlives its test.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { freePorts } from '../../simulator/free-ports.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

export type Environment = Readonly<Record<string, string>>

export interface Child {
  readonly url: string
  readonly folder: string
  readonly process: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  /** Resolves when the process has ended and everything it printed was read. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

/** An empty folder that goes away with the test; the service finds no `.env` and no state in it. */
export async function emptyFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'helpcrunch-proxy-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Starts the service; it may end by itself at once. */
export function startChild(t: Test, env: Environment, folder?: string): Promise<Child> {
  return launch(t, [process.execPath, main], env, folder)
}

/** The same, once it answers, where the system lets it open so many files and connections. */
export async function startLimitedChild(t: Test, env: Environment, openFiles: number) {
  const limited = `ulimit -n ${openFiles} && exec "$0" "$1"`
  return untilReady(await launch(t, ['/bin/sh', '-c', limited, process.execPath, main], env))
}

/** The same, once it answers, where its log goes into a file. */
export async function startLoggingChild(t: Test, env: Environment, file: string) {
  const logging = `exec "$0" "$1" > ${file}`
  return untilReady(await launch(t, ['/bin/sh', '-c', logging, process.execPath, main], env))
}

async function launch(
  t: Test,
  [command = '', ...args]: readonly string[],
  env: Environment,
  folder?: string
): Promise<Child> {
  const [port = 0] = await freePorts('127.0.0.1', [0])
  const cwd = folder ?? (await emptyFolder(t))
  const child = spawn(command, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      ADMIN_PORT: '0',
      STATE_DIR: join(cwd, 'state'),
      ...env
    }
  })
  t.teardown(() => child.kill('SIGKILL'))
  const printed = { stdout: '', stderr: '' }
  child.stdout?.on('data', chunk => {
    printed.stdout += chunk
  })
  child.stderr?.on('data', chunk => {
    printed.stderr += chunk
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  return {
    url: `http://127.0.0.1:${env.PORT ?? port}`,
    folder: cwd,
    process: child,
    stdout: () => printed.stdout,
    stderr: () => printed.stderr,
    ended
  }
}

/** The same, once it answers. */
export async function startReadyChild(t: Test, env: Environment, folder?: string): Promise<Child> {
  return untilReady(await startChild(t, env, folder))
}

async function untilReady(child: Child): Promise<Child> {
  await until(async () => {
    if (child.process.exitCode !== null) throw new Error(`it ended: ${child.stderr()}`)
    return (await fetch(`${child.url}/readyz`).catch(() => undefined))?.ok === true
  })
  return child
}

/** Asks again and again until it is so; for what only a real process can tell. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let left = 1_500; left > 0; left--) {
    if (await holds()) return
    await sleep(20)
  }
  throw new Error('It never came to that.')
}
