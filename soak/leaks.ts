/** The search for what must be nowhere in what a process wrote: secrets, whole or cut, and chats. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { adminToken, apiKey, chatCanary, tokens } from './conditions.ts'

const secrets = [apiKey, adminToken, ...Object.values(tokens)]

const canaries: readonly string[] = [
  ...secrets.flatMap(secret => [
    secret.slice(0, -4),
    Buffer.from(secret).toString('base64').slice(0, 36),
    Buffer.from(secret).toString('hex').slice(0, 52)
  ]),
  chatCanary,
  // The same, as it would stand in a string of JSON.
  JSON.stringify(chatCanary).slice(1, -1)
]

/** What was found, without telling more of a secret than which one it is. */
export function leaksIn(text: string): string[] {
  return canaries.filter(canary => text.includes(canary)).map(canary => `${canary.slice(0, 12)}…`)
}

/** The same of every file below a folder, with its path. */
export function leaksBelow(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  return files
    .filter(file => file.isFile())
    .flatMap(file => {
      const path = join(file.parentPath, file.name)
      return leaksIn(readFileSync(path, 'latin1')).map(leak => `${path}: ${leak}`)
    })
}
