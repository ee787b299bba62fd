/**
 * The last touch to the generated document. What is named or said again and again goes to its
 * components: schemas with a `title`, under that name; headers that are always the same; problems.
 * And the examples are put where they belong.
 */

import { problemExamples } from './error-examples.ts'
import { operationExamples } from './examples.ts'
import { problemType } from './problem.ts'

type Json = { [name: string]: unknown }

interface Components {
  readonly schemas: Json
  readonly headers: Json
  readonly examples: Json
}

/** @param document OpenAPI as @fastify/swagger makes it */
export function finished<Document extends object>(document: Document): Document {
  const { components: given = {}, paths, ...rest } = document as Json & { components?: Json }
  const components: Components = { schemas: {}, headers: {}, examples: {} }
  const shared = shareHeaders(shareSchemas(paths, components.schemas), components.headers)
  for (const path of Object.values(shared as Json)) {
    for (const operation of Object.values(path as Json))
      addExamples(operation as Operation, components.examples)
  }
  const whole = { ...rest, components: { ...given, ...components }, paths: shared }
  // Without one object in two places, which YAML would write as an alias.
  return JSON.parse(JSON.stringify(whole))
}

/** The same, with a reference in place of every schema that has a title. */
function shareSchemas(node: unknown, schemas: Json): unknown {
  if (typeof node !== 'object' || node === null) return node
  if (Array.isArray(node)) return node.map(item => shareSchemas(item, schemas))
  const copy = mapValues(node as Json, value => shareSchemas(value, schemas))
  if (typeof copy.title !== 'string' || !('properties' in copy)) return copy
  const { title, ...schema } = copy
  return share(schemas, title as string, schema, '#/components/schemas/') ?? copy
}

/** The same, with a reference in place of every header that was met before in these words. */
function shareHeaders(node: unknown, headers: Json): unknown {
  if (typeof node !== 'object' || node === null) return node
  if (Array.isArray(node)) return node.map(item => shareHeaders(item, headers))
  const entries = Object.entries(node).map(([name, value]) => {
    if (name !== 'headers') return [name, shareHeaders(value, headers)]
    const shared = Object.entries(value as Json).map(([header, described]) => [
      header,
      share(headers, header, described, '#/components/headers/') ?? described
    ])
    return [name, Object.fromEntries(shared)]
  })
  return Object.fromEntries(entries)
}

/** @returns a reference, or undefined if the name is taken for something else */
function share(components: Json, name: string, value: unknown, root: string): Json | undefined {
  components[name] ??= value
  const isSame = JSON.stringify(components[name]) === JSON.stringify(value)
  return isSame ? { $ref: `${root}${name}` } : undefined
}

interface Body {
  readonly content?: { readonly [mediaType: string]: Json }
}

interface Operation {
  readonly operationId: string
  readonly requestBody?: Body
  readonly responses: { readonly [status: string]: Body & { readonly description: string } }
}

function addExamples({ operationId, requestBody, responses }: Operation, shared: Json): void {
  const { request = {}, response = {} } = operationExamples[operationId] ?? {}
  setExamples(requestBody, request)
  setExamples(responses[200], response)
  for (const [status, { content = {}, description }] of Object.entries(responses)) {
    const media = content[problemType]
    if (media) media.examples = problemsOf(Number(status), description, shared)
  }
}

function setExamples(body: Body | undefined, examples: Readonly<Record<string, unknown>>): void {
  for (const [mediaType, example] of Object.entries(examples)) {
    const media = body?.content?.[mediaType]
    if (media) media.example = example
  }
}

/** The codes of a response are named in its description. */
function problemsOf(status: number, description: string, shared: Json): Json {
  const named = problemExamples.filter(
    problem => problem.status === status && description.includes(`\`${problem.code}\``)
  )
  return Object.fromEntries(
    named.map(value => {
      const { code, title: summary } = value
      return [code, share(shared, code, { summary, value }, '#/components/examples/')]
    })
  )
}

function mapValues(object: Json, map: (value: unknown) => unknown): Json {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]))
}
