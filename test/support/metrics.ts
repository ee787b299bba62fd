/** Prometheus's text as samples: enough of its grammar for what a service writes. */

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Name and labels as written. */
  readonly series: string
  readonly value: number
}

export function samplesOf(text: string): Sample[] {
  return text.split('\n').flatMap(line => {
    const [, series, name, labels = '', value] =
      /^(([a-zA-Z_:][\w:]*)(?:\{(.*)\})?) (\S+)$/.exec(line) ?? []
    if (series === undefined || name === undefined) return []
    const pairs = labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)
    const known = Object.fromEntries(pairs.map(([, label, text]) => [label, text]))
    return [{ name, labels: known, series, value: Number(value) }]
  })
}
