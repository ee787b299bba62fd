/**
 * The same figures for Prometheus, read from the status when they are asked for. The only file
 * that knows the Prometheus client. Labels are few and fixed, whatever callers send.
 */

import { Gauge, Registry } from '@prometheus-io/client'
import type { Status } from './status.ts'

export interface Metrics {
  readonly contentType: string
  text(): Promise<string>
}

const gauges: Record<string, [help: string, read: (status: Status) => number]> = {
  helpcrunch_proxy_budget_limit: ['Calls allowed in any window.', status => status.budget.limit],
  helpcrunch_proxy_budget_working_limit: [
    'Calls allowed in any window beside others who use the key.',
    status => status.budget.workingLimit
  ],
  helpcrunch_proxy_budget_used: ['Slots of the window held now.', status => status.budget.used],
  helpcrunch_proxy_budget_max_in_any_window: [
    'Most calls that can have arrived at the upstream in one window.',
    status => status.budget.maxInAnyWindow
  ],
  helpcrunch_proxy_queue_length: ['Calls that wait.', status => status.queue.length],
  helpcrunch_proxy_queue_oldest_wait_seconds: [
    'How long the oldest of them has waited.',
    status => status.queue.oldestWaitSeconds
  ]
}

export function createMetrics(status: () => Status): Metrics {
  const registry = new Registry()
  for (const [name, [help, read]] of Object.entries(gauges)) {
    const collect = function (this: Gauge) {
      this.set(read(status()))
    }
    registry.registerMetric(new Gauge({ name, help, collect, registers: [] }))
  }
  return { contentType: registry.contentType, text: () => registry.metrics() }
}
