/**
 * Who takes part in a chat: its agents, assignee, department and customer, each as the ids that a
 * search compares and as the JSON that the chat shows.
 */

import type { Random } from './random.ts'
import { type Member, type Spacing, spellArray, spellObject, spellString } from './spelling.ts'
import { agentNames, customers, departments, tagNames } from './vocabulary.ts'

export interface People {
  readonly agentIds: readonly number[]
  readonly assigneeId: number | null
  readonly departmentId: number | null
  readonly customerId: number
  readonly customerEmail: string
  readonly tags: readonly string[]
}

const firstAgentId = 101
const firstDepartmentId = 11
const customersKnown = 2_000

export function drawPeople(
  random: Random,
  spacing: Spacing
): People & { readonly members: readonly Member[] } {
  const draws = Array.from({ length: random.below(4) }, () => random.below(agentNames.length))
  const agents = [...new Set(draws)]
  const assignee = random.chance(0.7) ? random.below(agentNames.length) : null
  const department = random.chance(0.6) ? random.below(departments.length) : null
  const customer = drawCustomer(random, spacing)
  return {
    ...customer.facts,
    agentIds: agents.map(index => firstAgentId + index),
    assigneeId: assignee === null ? null : firstAgentId + assignee,
    departmentId: department === null ? null : firstDepartmentId + department,
    members: [
      ['agents', spellAgents(agents, random, spacing)],
      ['customer', customer.json],
      ['assignee', assignee === null ? 'null' : spellAgent(assignee, random, spacing)],
      ['department', department === null ? 'null' : spellDepartment(department, random, spacing)]
    ]
  }
}

/** One sample upstream shows a single object where all others show an array. */
function spellAgents(agents: readonly number[], random: Random, spacing: Spacing): string {
  const spelled = agents.map(index => spellAgent(index, random, spacing))
  const [only] = spelled
  const bare = only !== undefined && spelled.length === 1 && random.chance(0.3)
  return bare ? only : spellArray(spelled, spacing)
}

function spellAgent(index: number, random: Random, spacing: Spacing): string {
  const agent = agentNames[index]!
  return spellObject(
    [
      ['id', String(firstAgentId + index)],
      ['name', spellString(agent.name, random)],
      ['email', spellString(`agent${index}@example.com`, random)],
      ['role', spellString(agent.role, random)]
    ],
    spacing
  )
}

function spellDepartment(index: number, random: Random, spacing: Spacing): string {
  return spellObject(
    [
      ['id', String(firstDepartmentId + index)],
      ['name', spellString(departments[index]!, random)]
    ],
    spacing
  )
}

function drawCustomer(random: Random, spacing: Spacing) {
  const customerId = 1 + random.below(customersKnown)
  const customerEmail = `customer${customerId}@example.com`
  // A tag belongs to the customer, so it follows from the id and not from the draw.
  const tags = customerId % 3 === 0 ? [tagNames[customerId % tagNames.length]!] : []
  const members: Member[] = [
    ['id', String(customerId)],
    ['name', spellString(random.pick(customers), random)],
    ['email', spellString(customerEmail, random)],
    ['userId', random.chance(0.3) ? 'null' : `"${customerId}"`]
  ]
  if (random.chance(0.1)) members.push(['tagsData', JSON.stringify(tags.map(name => ({ name })))])
  return { facts: { customerId, customerEmail, tags }, json: spellObject(members, spacing) }
}
