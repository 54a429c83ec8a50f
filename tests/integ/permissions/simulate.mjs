// What IAM decides. Reads {account, roles: {name: [{name, policy}]}, questions: [{role, action,
// resource, context}]} from stdin, and writes for each question {allowed, by: [{policy, statement,
// actions, resources, values}]}, the allowing statements and what in them matched, or {error}.
import { text } from 'node:stream/consumers'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const matching = (explained, what) =>
  [explained ?? []].flat().filter((each) => each.matches).map((each) => each[what])

const { account, roles, questions } = JSON.parse(await text(process.stdin))

async function decide({ role, action, resource, context }) {
  const decided = await runSimulation(
    {
      request: {
        principal: `arn:aws:iam::${account}:role/${role}`,
        action,
        resource: { resource, accountId: account },
        contextVariables: context
      },
      identityPolicies: roles[role],
      serviceControlPolicies: [],
      resourceControlPolicies: []
    },
    {}
  )
  if (decided.resultType !== 'single') {
    return { error: decided.errors ? JSON.stringify(decided.errors) : decided.resultType }
  }
  if (decided.result.ignoredContextKeys.length) {
    return { error: `${action} knows no ${decided.result.ignoredContextKeys}` }
  }
  return {
    allowed: decided.overallResult === 'Allowed',
    by: decided.result.analysis.identityAnalysis.allowStatements.map(({ policyId, explain }) => ({
      policy: policyId,
      statement: explain.identifier,
      actions: matching(explain.actions, 'action'),
      resources: matching(explain.resources, 'resource'),
      values: (explain.conditions ?? []).flatMap(({ values }) => matching(values, 'value'))
    }))
  }
}

const decisions = []
for (const question of questions) decisions.push(await decide(question))
process.stdout.write(JSON.stringify(decisions))
