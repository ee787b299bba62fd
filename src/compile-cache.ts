/**
 * Where Node keeps the code as it compiled it, types stripped, so that the next start need not: a
 * process that strips none takes 28 MB less and starts in half the time. Beside the packages,
 * because whoever may write there may change the code anyway; where nobody may, nothing is kept.
 */

import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url))

/** To be called before the code is loaded. `NODE_COMPILE_CACHE` names another folder. */
export function keepCompiled(): void {
  enableCompileCache(folder)
}
