/**
 * The hit suite: what an answer from memory costs, beside the least that Node can do and beside the
 * caches that one would put in front. All subjects stand beside each other in one run, and their
 * repetitions take turns, so that whatever the machine does meanwhile meets all of them. Judged is
 * the time of a processor for each request, which others on the machine change least.
 */

import { loadavg } from 'node:os'
import { startSimulator } from '../../simulator/upstream.ts'
import { kill, makeFolder, removeFolder } from '../processes.ts'
import type { Suite } from '../suite.ts'
import {
  type Case,
  cases,
  connections,
  headersOf,
  loadCore,
  pathOf,
  repetitionSeconds,
  serverCore,
  warmUpSeconds
} from './conditions.ts'
import { coreMicros, cpuMicros } from './cpu.ts'
import { type Answers, load } from './load.ts'
import { startOrigin } from './origin.ts'
import { pagesOf } from './pages.ts'
import { canPin, isInstalled } from './pinned.ts'
import { brokenBy, type Repetition, tablesOf } from './report.ts'
import { type Running, type Subject, subjects } from './subjects.ts'

export const hit: Suite = async ({ only, windows }) => {
  if (!isInstalled('wrk')) throw new Error('the hit suite needs wrk (a package of that name)')
  const chosen = subjects.filter(({ name }) => !only || only.some(part => name.includes(part)))
  const measurable = chosen.filter(({ missing }) => missing === undefined)
  const notes = chosen.flatMap(({ missing, name }) => (missing ? [`${name}: ${missing}`] : []))
  if (!canPin) notes.push('no taskset, or one core: server and load shared what there is')
  const loadBefore = loadavg()
  const site = await open(measurable)
  try {
    await site.warmUp()
    const measured: Repetition[] = []
    for (let round = 0; round < windows; round++) measured.push(...(await site.round(round)))
    const conditions = { connections, repetitionSeconds, repetitions: windows, loadBefore }
    return {
      table: [...tablesOf(measured, loadBefore), ...notes].join('\n'),
      results: { conditions, notes, measured },
      broken: brokenBy(measured)
    }
  } finally {
    await site.close()
  }
}

const settleMs = 50

interface Site {
  warmUp(): Promise<void>
  round(round: number): Promise<Repetition[]>
  close(): Promise<void>
}

interface Place extends Running {
  readonly subject: Subject
  readonly folder: string
  /** The entity tag of the page that is asked for again. */
  tag: string
}

async function open(chosen: readonly Subject[]): Promise<Site> {
  const simulator = await startSimulator({ chats: 5000, apiKey: 'bench-key', latencyMs: 0 })
  const bodies = await bodiesFrom(simulator.baseUrl)
  const origin = await startOrigin(pagesOf(bodies))
  const places: Place[] = []
  const calls = () => simulator.hits() + origin.calls
  const ground = {
    simulatorUrl: simulator.baseUrl,
    originPort: origin.port,
    bodies: Object.fromEntries(Object.entries(bodies).map(([path, body]) => [path, `${body}`]))
  }
  for (const subject of chosen) {
    progress(`starting ${subject.name} …`)
    const folder = makeFolder()
    places.push({ subject, folder, tag: '', ...(await subject.start({ ...ground, folder })) })
  }
  return {
    warmUp: async () => {
      for (const place of places) await warmUp(place)
    },
    round: async round => {
      const measured: Repetition[] = []
      for (const name of cases) {
        for (const place of places) {
          if (!place.subject.cases.includes(name)) continue
          progress(`${round + 1}: ${name}, ${place.subject.name}`)
          measured.push(await measure(place, name, calls))
        }
      }
      return measured
    },
    close: async () => {
      for (const { child } of places) await kill(child)
      for (const { folder } of places) removeFolder(folder)
      origin.close()
      await simulator.close()
    }
  }
}

/** The two pages as the upstream writes them. */
async function bodiesFrom(baseUrl: string): Promise<Record<string, Buffer>> {
  const bodies: Record<string, Buffer> = {}
  for (const path of new Set(Object.values(pathOf))) {
    const url = `${baseUrl}${path}&offset=0`
    const answer = await fetch(url, { headers: { authorization: 'Bearer bench-key' } })
    bodies[path] = Buffer.from(await answer.arrayBuffer())
  }
  return bodies
}

/** Each case until it is a hit, in the coding that is asked for, and then until V8 knows it well. */
async function warmUp(place: Place): Promise<void> {
  for (const name of place.subject.cases) {
    progress(`warming up: ${place.subject.name}, ${name}`)
    for (let tries = 0; !(await isReady(place, name)); tries++) {
      if (tries === 100) throw new Error(`${place.subject.name} does not answer: ${name}`)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    await ask(place, name, warmUpSeconds)
  }
}

async function isReady(place: Place, name: Case): Promise<boolean> {
  const headers = { 'accept-encoding': 'identity', ...headersOf(name, place.tag) }
  const answer = await fetch(place.url + pathOf[name], { headers })
  await answer.arrayBuffer()
  const tag = answer.headers.get('etag') ?? ''
  if (name === '20 chats') place.tag = tag
  const coding = answer.headers.get('content-encoding') ?? 'identity'
  const isSuch = answer.status === (name === '304' ? 304 : 200)
  return isSuch && (name === '304' || coding === headers['accept-encoding'])
}

async function ask({ tag, url }: Place, name: Case, seconds: number): Promise<Answers> {
  const headers = headersOf(name, tag)
  const answers = await load({ url: url + pathOf[name], headers, seconds, core: loadCore })
  // What was still under way is no business of whoever comes next.
  await new Promise(resolve => setTimeout(resolve, settleMs))
  return answers
}

async function measure(place: Place, name: Case, calls: () => number): Promise<Repetition> {
  const { asksAgain, name: subject } = place.subject
  const pid = place.child.pid!
  const before = { cpu: cpuMicros(pid), core: coreMicros(serverCore), calls: calls() }
  const startedAt = performance.now()
  const answers = await ask(place, name, repetitionSeconds)
  const elapsed = (performance.now() - startedAt) * 1000
  const cpu = cpuMicros(pid) - before.cpu
  const core = coreMicros(serverCore)
  const called = calls() - before.calls
  if (answers.failed > 0) throw new Error(`${subject}, ${name}: ${answers.failed} errors`)
  if (called > 0 && !asksAgain) throw new Error(`${subject}, ${name}: ${called} were no hits`)
  return {
    subject,
    case: name,
    perSecond: answers.requests / (answers.micros / 1e6),
    ...{ p50: answers.p50, p99: answers.p99, calls: called },
    cpuMicros: cpu / answers.requests,
    // Where the core cannot be had alone, what is not the server's is somebody else's.
    othersPart: Math.max(core.busy - before.core.busy - cpu, 0) / elapsed,
    stolenPart: (core.stolen - before.core.stolen) / elapsed
  }
}

function progress(line: string): void {
  process.stderr.write(`hit: ${line}\n`)
}
