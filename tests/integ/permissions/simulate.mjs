// What IAM decides. Reads {account, roles: {name: [statement]}, questions: [[role, action, resource,
// context]]} from stdin, and writes for each question whether it is allowed, or why there is no answer.
import { text } from 'node:stream/consumers'
import { createValidatedPolicy, validateIdentityPolicy } from '@cloud-copilot/iam-policy'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const { account, roles, questions } = JSON.parse(await text(process.stdin))

// Validated once, not for every question; one that is not valid answers with its errors.
const policies = new Map(
  Object.entries(roles).map(([name, Statement]) => [
    name,
    createValidatedPolicy({ Version: '2012-10-17', Statement }, validateIdentityPolicy)
  ])
)

async function decide([role, action, resource, context]) {
  const { resultType, errors, result, overallResult } = await runSimulation(
    {
      request: {
        principal: `arn:aws:iam::${account}:role/role`,
        action,
        resource: { resource, accountId: account },
        contextVariables: context
      },
      identityPolicies: [{ name: 'policy', policy: policies.get(role) }],
      serviceControlPolicies: [],
      resourceControlPolicies: []
    },
    {}
  )
  if (resultType !== 'single') return errors ? JSON.stringify(errors) : resultType
  const unknown = result.ignoredContextKeys // a condition on these would not be asked
  return unknown.length ? `${action} knows no ${unknown}` : overallResult === 'Allowed'
}

const decisions = []
for (const question of questions) decisions.push(await decide(question))
process.stdout.write(JSON.stringify(decisions))
