/** What the hit suite found, as tables, and what of it denies the promises. */

import { formatTable } from '../table.ts'
import { type Case, cases } from './conditions.ts'
import { floor, ours } from './subjects.ts'

/** One subject, one case, one turn. Times in microseconds. */
export interface Repetition {
  readonly subject: string
  readonly case: Case
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** The server's, user and system, for each request. */
  readonly cpuMicros: number
  /** What it asked the upstream meanwhile. */
  readonly calls: number
  /** Of the server's core: taken by other processes, and by other machines on the host. */
  readonly othersPart: number
  readonly stolenPart: number
}

/** Ours in processor time, as multiples of the bare server's. */
const mostTimesFloor: Partial<Record<Case, number>> = {
  '20 chats': 1.2,
  '304': 1.2,
  '100 chats': 1.1
}

/** A prepared coding is fewer bytes; this much is chance. */
const coded = { cases: ['100 chats, br', '100 chats, gzip'], most: 1.02 } as const

const busyPart = 0.1

export function tablesOf(measured: readonly Repetition[], loadBefore: readonly number[]): string[] {
  const head = [
    '',
    'CPU µs',
    'spread',
    'of bare',
    'requests/s',
    'spread',
    'p50 µs',
    'p99 µs',
    'calls'
  ]
  const tables = cases.flatMap(name => {
    const here = measured.filter(one => one.case === name)
    const names = [...new Set(here.map(one => one.subject))]
    return [
      formatTable(
        [name, ...head.slice(1)],
        names.map(subject => rowOf(here, subject))
      ),
      ''
    ]
  })
  return [...tables, ...noiseOf(measured, loadBefore)]
}

function rowOf(here: readonly Repetition[], subject: string): (string | number)[] {
  const own = here.filter(one => one.subject === subject)
  const [cpu, perSecond] = [own.map(one => one.cpuMicros), own.map(one => one.perSecond)]
  const times = timesOf(here, subject, floor)
  return [
    subject,
    median(cpu).toFixed(1),
    `${Math.min(...cpu).toFixed(1)}-${Math.max(...cpu).toFixed(1)}`,
    times === undefined ? '' : times.toFixed(2),
    Math.round(median(perSecond)),
    `${Math.round(Math.min(...perSecond))}-${Math.round(Math.max(...perSecond))}`,
    Math.round(median(own.map(one => one.p50))),
    Math.round(median(own.map(one => one.p99))),
    own.reduce((sum, one) => sum + one.calls, 0)
  ]
}

/** The median over the turns, in each of which both had the same machine; undefined if one is missing. */
function timesOf(here: readonly Repetition[], subject: string, other: string): number | undefined {
  const [own, others] = [subject, other].map(name => here.filter(one => one.subject === name))
  const times = own?.map((one, turn) => one.cpuMicros / (others?.[turn]?.cpuMicros ?? Number.NaN))
  const known = times?.filter(Number.isFinite) ?? []
  return known.length > 0 ? median(known) : undefined
}

function noiseOf(measured: readonly Repetition[], loadBefore: readonly number[]): string[] {
  const others = median(measured.map(one => one.othersPart))
  const stolen = median(measured.map(one => one.stolenPart))
  const percent = (part: number) => `${(100 * part).toFixed(0)} %`
  const said = `of the server's core others had ${percent(others)}, the host took ${percent(stolen)}`
  const before = `load average before: ${loadBefore.map(load => load.toFixed(1)).join(', ')}`
  const isBusy = others + stolen > busyPart || (loadBefore[0] ?? 0) > 1
  return [`${isBusy ? 'The machine was busy' : 'The machine was quiet'}: ${said}; ${before}.`]
}

export function brokenBy(measured: readonly Repetition[]): string[] {
  const of = (name: Case) => measured.filter(one => one.case === name)
  const tooDear = Object.entries(mostTimesFloor).flatMap(([name, most]) => {
    const times = timesOf(of(name as Case), ours, floor) ?? 0
    return times > most ? [`${name}: ${times.toFixed(2)} times ${floor}, not ${most}`] : []
  })
  const plain = of('100 chats').filter(one => one.subject === ours)
  const cost = (own: readonly Repetition[]) => median(own.map(one => one.cpuMicros))
  const dearer = coded.cases.flatMap(name => {
    const own = of(name).filter(one => one.subject === ours)
    const isDearer = own.length > 0 && cost(own) > coded.most * cost(plain)
    return isDearer ? [`${name}: dearer than the plain bytes`] : []
  })
  return [...tooDear, ...dearer]
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2
}
