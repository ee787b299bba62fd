/**
 * What Prometheus is told, by name: families of series, each series with all labels it can ever
 * have. Names end in their units; durations are seconds.
 */

import type { BrakeMode } from '../ports.ts'
import type { ReplicasReport, ScheduleReport } from '../reports.ts'
import type { Figures } from './figures.ts'
import type { Histogram } from './histogram.ts'
import { type Answers, isSaved } from './requests.ts'
import type { Status } from './status.ts'

export interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly series: readonly Series[]
}

interface Series {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number | Histogram
}

export interface Families {
  readonly status: () => Status
  readonly figures: Figures
}

export function familiesOf({ figures, status }: Families): readonly Family[] {
  const now = status()
  return [
    ...requestFamilies(figures),
    ...budgetFamilies(now.budget, figures),
    ...queueFamilies(now.queue, figures),
    ...upstreamFamilies(figures),
    ...cacheFamilies(now.cache, figures),
    ...replicaFamilies(now.replicas),
    gauge('exports', 'Exports that are running.', now.exports.length),
    {
      ...gauge('build_info', 'Always 1; says which version runs.', 0),
      series: [{ labels: { version: now.service.version }, value: 1 }]
    }
  ]
}

function requestFamilies({ calls, requests, teams }: Figures): readonly Family[] {
  const seriesOf = ({ cache, count, route, status, team }: Answers): Series => ({
    labels: { team, route, status, cache },
    value: count
  })
  const savedBy = (name: string) =>
    requests.count(answers => answers.team === name && isSaved(answers))
  return [
    counter('requests', 'Answered requests.', requests.answers.map(seriesOf)),
    histogram('hit_duration', 'Answers that were stored.', [{ value: requests.hits }]),
    histogram('miss_duration', 'Answers that waited for a call.', [{ value: requests.misses }]),
    counter(
      'calls',
      "Calls spent, by the team in whose turn they left; refreshes are the readers'.",
      [...calls].map(([team, value]) => ({ labels: { team }, value }))
    ),
    counter(
      'saved_calls',
      'Answers that made no call of their own.',
      teams.map(team => ({ labels: { team }, value: savedBy(team) }))
    )
  ]
}

const modes: readonly ScheduleReport['mode'][] = [
  'open',
  'held',
  'cut-off',
  'paused',
  'key-refused',
  'failing'
]

function budgetFamilies(budget: Status['budget'], figures: Figures): readonly Family[] {
  const { pauses, thefts } = figures
  const reasons = Object.keys(pauses) as BrakeMode[]
  return [
    gauge('budget_limit', 'Calls allowed in any window.', budget.limit),
    gauge(
      'budget_working_limit',
      'Calls allowed in any window beside others who use the key.',
      budget.workingLimit
    ),
    gauge('budget_used', 'Slots of the window held now.', budget.used),
    gauge(
      'budget_max_in_any_window',
      'Most calls that can have arrived at the upstream in one window.',
      budget.maxInAnyWindow
    ),
    gauge('calls_in_flight', 'Calls under way.', budget.inFlight),
    {
      ...gauge('mode', '1 for what stands in the way of sending, or for open.', 0),
      series: modes.map(mode => ({ labels: { mode }, value: Number(mode === budget.mode) }))
    },
    counter(
      'pauses',
      "How often the upstream's answers held sending up, by what they said.",
      reasons.map(reason => ({ labels: { reason }, value: pauses[reason] }))
    ),
    counter('thefts', 'How often somebody else was found to spend from the key.', [
      { value: thefts }
    ]),
    gauge(
      'journal_known',
      '1 if the journal told what earlier processes sent, 0 if it could not.',
      Number(budget.journalProblem === null)
    )
  ]
}

function queueFamilies(queue: Status['queue'], { waits }: Figures): readonly Family[] {
  const byClass = <Value extends Series['value']>(values: Readonly<Record<string, Value>>) =>
    Object.entries(values).map(([name, value]) => ({ labels: { class: name }, value }))
  return [
    { ...gauge('queue_length', 'Calls that wait.', 0), series: byClass(queue.byClass) },
    gauge(
      'queue_oldest_wait_seconds',
      'How long the oldest of them has waited.',
      queue.oldestWaitSeconds
    ),
    histogram('queue_wait', 'How long calls stood in line before they left.', byClass(waits))
  ]
}

function upstreamFamilies({ attempts }: Figures): readonly Family[] {
  const outcomes = [...attempts.byOutcome]
  return [
    counter(
      'upstream_calls',
      'Attempts, by the status that came back or the word for what did instead.',
      outcomes.map(([status, value]) => ({ labels: { status }, value }))
    ),
    histogram('upstream_duration', 'Attempts from send to last byte.', [
      { value: attempts.durations }
    ])
  ]
}

const replicaModes: readonly ReplicasReport['mode'][] = ['single', 'joined', 'cut-off', 'alone']

function replicaFamilies({ members, mode }: ReplicasReport): readonly Family[] {
  const living = members.filter(({ isSilent }) => !isSilent)
  return [
    {
      ...gauge('replica_mode', '1 for how this replica shares the budget with others.', 0),
      series: replicaModes.map(one => ({ labels: { mode: one }, value: Number(one === mode) }))
    },
    gauge(
      'replicas',
      'Replicas that share the budget and were heard of lately, this one among them.',
      Math.max(living.length, 1)
    )
  ]
}

function cacheFamilies(cache: Status['cache'], { evictions }: Figures): readonly Family[] {
  return [
    gauge('cache_bytes', 'Memory that pages and answers take.', cache.bytes),
    gauge('cache_max_bytes', 'Memory that they may take.', cache.maxBytes),
    gauge('cache_entries', 'Pages and answers that are kept.', cache.entries),
    counter(
      'cache_evictions',
      'Pages and answers that had to go, or were not kept, for want of room.',
      Object.entries(evictions).map(([reason, value]) => ({ labels: { reason }, value }))
    )
  ]
}

const prefix = 'helpcrunch_proxy_'

function gauge(name: string, help: string, value: number): Family {
  return { name: prefix + name, help, type: 'gauge', series: [{ value }] }
}

function counter(name: string, help: string, series: readonly Series[]): Family {
  return { name: `${prefix}${name}_total`, help, type: 'counter', series }
}

function histogram(name: string, help: string, series: readonly Series[]): Family {
  return { name: `${prefix}${name}_seconds`, help, type: 'histogram', series }
}
