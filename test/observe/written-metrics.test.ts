/**
 * What the dashboard and the alarms ask of Prometheus is held against what `/metrics` tells: every
 * name, every label and every value of a label.
 */

import { readFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { type Sample, samplesOf } from '../support/metrics.ts'
import { startStack } from '../support/stack.ts'

const read = (path: string) => readFile(new URL(`../../docs/${path}`, import.meta.url), 'utf8')

async function metricsOf(t: Test): Promise<{ samples: Sample[]; text: string }> {
  const { service } = await startStack(t)
  const text = (await service.admin.inject('/metrics')).body
  return { samples: samplesOf(text), text }
}

/** What Prometheus knows besides: functions and keywords are followed by a bracket. */
const words = /^(by|without|on|ignoring|group_left|group_right|and|or|unless|le)$/

/** Whatever is wrong with a PromQL expression, as far as names and labels go. */
function mistakes(expression: string, samples: readonly Sample[]): string[] {
  const wrong: string[] = []
  const groups = [...expression.matchAll(/\b(?:by|without|on)\s*\(([^)]*)\)/g)]
  const bare = expression
    .replace(/\b(?:by|without|on)\s*\([^)]*\)/g, ' ')
    .replace(/\[[^\]]*\]/g, ' ')
  const selectors = [...bare.matchAll(/([a-z_:][\w:]*)\s*(\(|\{([^}]*)\})?/gi)]
  const found: Sample[] = []
  for (const [, name = '', next = '', matchers = ''] of selectors) {
    if (next === '(' || words.test(name)) continue
    const own = samples.filter(sample => sample.name === name)
    if (own.length === 0) wrong.push(`there is no ${name}`)
    found.push(...own)
    for (const [, label = '', operator, value = ''] of matchers.matchAll(
      /(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g
    )) {
      const values = own.map(({ labels }) => labels[label])
      const wanted = operator?.endsWith('~') ? value.split('|') : [value]
      for (const one of wanted) {
        const isThere = values.some(
          had => had !== undefined && new RegExp(`^(?:${one.replace(/[()]/g, '\\$&')})$`).test(had)
        )
        if (!isThere) wrong.push(`${name} never has ${label}="${one}"`)
      }
    }
  }
  for (const label of groups.flatMap(([, list = '']) => list.split(',').map(one => one.trim()))) {
    if (!found.some(({ labels }) => label in labels)) wrong.push(`nothing has the label ${label}`)
  }
  if (found.length === 0) wrong.push('it asks for nothing')
  return wrong
}

t.test('mistakes in an expression are found', async t => {
  const { samples } = await metricsOf(t)
  const rows: [expression: string, wrong: string[]][] = [
    ['sum by (team) (rate(helpcrunch_proxy_calls_total[5m]))', []],
    ['sum by (color) (helpcrunch_proxy_calls_total)', ['nothing has the label color']],
    [
      'helpcrunch_proxy_nothing > 3',
      ['there is no helpcrunch_proxy_nothing', 'it asks for nothing']
    ],
    ['max(helpcrunch_proxy_mode{mode="off"})', ['helpcrunch_proxy_mode never has mode="off"']],
    [
      'helpcrunch_proxy_requests_total{status=~"200|299"}',
      ['helpcrunch_proxy_requests_total never has status="299"']
    ],
    ['1 + 1', ['it asks for nothing']]
  ]
  for (const [expression, wrong] of rows) t.same(mistakes(expression, samples), wrong, expression)
})

t.test('the dashboard asks only for what there is', async t => {
  const { samples } = await metricsOf(t)
  const { panels } = JSON.parse(await read('grafana.json'))
  t.ok(panels.length > 10)
  for (const { targets, title } of panels) {
    t.ok(targets.length > 0, title)
    for (const { expr, legendFormat } of targets) {
      t.same(mistakes(expr, samples), [], expr)
      for (const [, label = ''] of String(legendFormat).matchAll(/\{\{(\w+)\}\}/g)) {
        t.match(expr, new RegExp(`by \\([^)]*\\b${label}\\b`), `${title} can show ${label}`)
      }
    }
  }
})

t.test('the five alarms ask only for what there is', async t => {
  const { samples } = await metricsOf(t)
  const [, block = ''] = /```yaml\n(.*?)```/s.exec(await read('operations.md')) ?? []
  const { rules } = parse(block).groups[0]
  t.equal(rules.length, 5)
  for (const { alert, annotations, expr } of rules) {
    t.same(mistakes(expr, samples), [], alert)
    t.match(annotations.summary, /\.$/)
  }
})

t.test('operations.md names every metric with its labels and words, in order', async t => {
  const { samples, text } = await metricsOf(t)
  const rows = (await read('operations.md'))
    .split('\n')
    .filter(row => row.startsWith('| `helpcrunch_'))
  const families = [...text.matchAll(/^# HELP (helpcrunch_\w+) (.*)\n# TYPE \S+ (\w+)$/gm)]
  const wanted = families.map(([, name = '', help, type]) => {
    const sample = samples.find(one => one.name === name || one.name === `${name}_bucket`)
    const labels = Object.keys(sample?.labels ?? {}).filter(label => label !== 'le')
    return `| \`${name}\` | ${labels.map(label => `\`${label}\``).join(', ')} | ${type}: ${help} |`
  })
  t.ok(wanted.length > 20)
  t.strictSame(rows, wanted)
})
