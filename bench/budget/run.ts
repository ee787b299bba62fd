/**
 * One run: an upstream, a subject in front of it, saturated for the measured time, left alone or
 * killed again and again. Everything it starts has ended when it returns.
 */

import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '../../simulator/free-ports.ts'
import { kill, makeFolder, removeFolder } from '../processes.ts'
import { killEveryMs, windowMs } from './conditions.ts'
import type { Answers } from './load.ts'
import { type Measured, measure } from './measure.ts'
import type { Place, Subject } from './subjects.ts'
import { startUpstream, type Upstream } from './upstream.ts'

export interface RunOptions {
  readonly windows: number
  readonly killed: boolean
}

export interface Run extends Measured {
  readonly kills: number
  /** Only where the load is ours. */
  readonly answersByTeam?: Answers
}

/** From the start to the first call; more is a failure. */
const startLimitMs = 20_000

/** Past the measured time, so that nothing of it is missed. */
const marginMs = 100

export async function run(subject: Subject, options: RunOptions): Promise<Run> {
  const upstream = await startUpstream()
  const folder = makeFolder()
  try {
    const [port = 0] = await freePorts('127.0.0.1', [0])
    return await observe(
      subject,
      { upstreamUrl: upstream.baseUrl, folder, port },
      upstream,
      options
    )
  } finally {
    await upstream.close()
    removeFolder(folder)
  }
}

async function observe(
  subject: Subject,
  place: Place,
  upstream: Upstream,
  { windows, killed }: RunOptions
): Promise<Run> {
  const life = new Life(subject, place)
  const load = subject.load?.(place)
  try {
    await firstArrival(upstream, subject.name)
    const over = sleep(windows * windowMs + marginMs)
    if (killed) await life.dieUntil(over)
    await over
    const answersByTeam = load && structuredClone(load.answers())
    const measured = measure(await upstream.report(), windows)
    return { ...measured, kills: life.deaths, ...(answersByTeam && { answersByTeam }) }
  } finally {
    await load?.stop()
    await life.end()
  }
}

async function firstArrival(upstream: Upstream, name: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < startLimitMs; waitedMs += marginMs) {
    if ((await upstream.report()).arrivals.length > 0) return
    await sleep(marginMs)
  }
  throw new Error(`${name} made no call within ${startLimitMs / 1000} s`)
}

/** A subject's process, and its next one after each death. */
class Life {
  deaths = 0
  readonly #subject: Subject
  readonly #place: Place
  #process: ChildProcess

  constructor(subject: Subject, place: Place) {
    this.#subject = subject
    this.#place = place
    this.#process = subject.launch(place)
  }

  /** Dies every few seconds and is back at once, until `over` resolves. */
  async dieUntil(over: Promise<void>): Promise<void> {
    const isOver = over.then(() => true)
    while (!(await Promise.race([isOver, sleep(killEveryMs, false)]))) {
      await kill(this.#process)
      this.deaths += 1
      this.#process = this.#subject.launch(this.#place)
    }
  }

  end(): Promise<void> {
    return kill(this.#process)
  }
}
