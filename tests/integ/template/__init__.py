"""Promises about the CloudFormation template that osls makes of serverless.yml.

Each is a function that asserts it of a template; each also has a bug planted for it, to show that
the assertion would see one.

reading   a template's parts, and what they say
roles     what each function may do
delivery  streams, queues and the functions that they invoke
keeping   tables, the search domain, the secret and the payloads
sizing    how large everything is
watching  logs and alarms
dashboard what the dashboard shows
"""
