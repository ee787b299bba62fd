/** Reads CSV by RFC 4180 and nothing else, so that what writes it has somebody to convince. */

/** @throws {Error} where the text is not RFC 4180, which ends every row in CRLF here */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  let at = 0
  while (at < text.length) {
    const [cell, end] = text[at] === '"' ? quotedCell(text, at) : plainCell(text, at)
    row.push(cell)
    if (text[end] === ',') {
      at = end + 1
    } else if (text.startsWith('\r\n', end)) {
      rows.push(row)
      row = []
      at = end + 2
    } else {
      throw new Error(
        `neither comma nor CRLF at ${end}: ${JSON.stringify(text.slice(end, end + 20))}`
      )
    }
  }
  if (row.length > 0) throw new Error('the last row does not end')
  return rows
}

function plainCell(text: string, start: number): [string, number] {
  let end = start
  while (end < text.length && !',"\r\n'.includes(text[end]!)) end++
  return [text.slice(start, end), end]
}

function quotedCell(text: string, start: number): [string, number] {
  let cell = ''
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] !== '"') cell += text[at]
    else if (text[at + 1] === '"') cell += text[++at]
    else return [cell, at + 1]
  }
  throw new Error(`the quote at ${start} is not closed`)
}
