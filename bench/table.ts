/** A table as aligned plain text: the first column to the left, all others, numbers, to the right. */

export type Cell = string | number

export function formatTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = [head, ...rows].map(row => row.map(String))
  const widths = head.map((_, column) => Math.max(...lines.map(line => line[column]?.length ?? 0)))
  const pad = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)
  const shown = lines.map(line => line.map(pad).join(' | '))
  const rule = widths.map(width => '-'.repeat(width)).join('-|-')
  return [shown[0], rule, ...shown.slice(1)].join('\n')
}
