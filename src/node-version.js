/**
 * The doormat, run before every npm script: plain JavaScript that any Node can read, so that an
 * install without the `node` package's install script ends in one clear line, not a stack trace.
 */
const [major] = process.versions.node.split('.').map(Number)
if (major < 24) {
  process.stderr.write(
    `This service needs Node 24 or later and brings its own, but Node ${process.versions.node} runs it: ` +
      'the install script of the "node" package did not run. Cure: npm rebuild node (or npm ci without --ignore-scripts)\n'
  )
  process.exit(1)
}
