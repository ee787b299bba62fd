/**
 * The same figures for Prometheus, read when they are asked for, in the format that is asked for.
 * The only file that knows the Prometheus client, which writes the text and knows the process. All
 * labels come from tables, so there are as many series before the first request as ever.
 */

import { collectDefaultMetrics, type Metric, Registry } from '@prometheus-io/client'
import { type Families, type Family, familiesOf } from './families.ts'
import type { Histogram } from './histogram.ts'

export interface Metrics {
  /** @param openMetrics instead of Prometheus's older text format */
  read(openMetrics: boolean): Promise<{ contentType: string; text: string }>
}

/** As the client's registries take it. */
interface Source {
  readonly name: string
  readonly type: string
  get(): Promise<object>
}

export function createMetrics(about: Families): Metrics {
  let processSources: readonly Source[] | undefined
  return {
    async read(openMetrics) {
      const contentType = openMetrics
        ? Registry.OPENMETRICS_CONTENT_TYPE
        : Registry.PROMETHEUS_CONTENT_TYPE
      // Watching the process costs a little, which who is never scraped does not pay.
      processSources ??= watchProcess()
      const registry = new Registry<typeof contentType>(contentType)
      for (const source of [...familiesOf(about).map(sourceOf), ...processSources.map(once)]) {
        registry.registerMetric(source as unknown as Metric)
      }
      return { contentType, text: await registry.metrics() }
    }
  }
}

/** A registry renames the counters that it writes as OpenMetrics: it gets names of its own. */
function once({ get, name, type }: Source): Source {
  const source: Source = { name, type, get: async () => ({ ...(await get()), name: source.name }) }
  return source
}

function sourceOf({ help, name, series, type }: Family): Source {
  const values = series.flatMap(({ labels = {}, value }): object[] =>
    typeof value === 'number' ? [{ labels, value }] : bucketsOf(name, labels, value)
  )
  return once({ name, type, get: async () => ({ help, name, type, values }) })
}

function bucketsOf(name: string, labels: object, { bounds, count, counts, sum }: Histogram) {
  let below = 0
  const buckets = [...bounds, '+Inf'].map((le, at) => {
    below += counts[at]!
    return { labels: { ...labels, le }, value: below, metricName: `${name}_bucket` }
  })
  return [
    ...buckets,
    { labels, value: sum, metricName: `${name}_sum` },
    { labels, value: count, metricName: `${name}_count` }
  ]
}

/** Left out: what has labels that come and go with what the process does, and what says nothing. */
const isUseful = (name: string) =>
  !/^nodejs_(active_|gc_|eventloop_(utilization_|lag_(min|stddev)_))/.test(name)

function watchProcess(): readonly Source[] {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const metrics = registry.getMetricsAsArray() as unknown as readonly (Source & Metric)[]
  return metrics
    .filter(({ name }) => isUseful(name))
    .map(metric => ({ name: metric.name, type: metric.type, get: () => knownOf(metric) }))
}

/** Before anything was measured there is no mean. */
async function knownOf(metric: Metric): Promise<object> {
  const family = await metric.get()
  const values = family.values.map(one => ({ ...one, value: one.value || 0 }))
  return { ...family, values }
}
