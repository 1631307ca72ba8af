"""Small platforms for tests: the contract's own tables, and tables as a platform on Supabase has them."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from contract.relations import RELATIONS
from exporters.database.mapping import sql_type

CONTRACT_ROWS = """
INSERT INTO app.departments VALUES (1, 'Support', 'blue');
INSERT INTO app.users VALUES
    (1, '2026-01-05 10:00+00', 'member', 'active', 'Support', '2026-11-20 09:00+00', 'DE'),
    (2, '2026-01-06 10:00+00', 'admin', 'active', NULL, NULL, NULL);
INSERT INTO app.agents VALUES (1, 'helper', 'chat', 1, 'agents', 'production', 'v2', true);
INSERT INTO app.conversations VALUES
    (10, 1, 1, '2026-11-20 08:00+00', '2026-11-20 08:10+00', 'ended', 'billing', true, 'resolved', 'web', 'production',
     '{"note": "call me at 555-0100"}'),
    (11, 2, 1, '2026-11-20 09:00+00', NULL, 'active', 'login', NULL, NULL, 'web', 'production', NULL);
INSERT INTO app.messages VALUES
    (100, 10, 1, 'user', '2026-11-20 08:00+00', 12, 't1'), (101, 10, NULL, 'assistant', '2026-11-20 08:01+00', 80, 't1'),
    (102, 11, 2, 'user', '2026-11-20 09:00+00', 7, 't2');
INSERT INTO app.tickets (id, user_id, conversation_id, assignee_id, status, priority, category, created_at, updated_at,
                         first_response_at, resolved_at, reopened_count, sla_resolution_due_at) VALUES
    (1, 1, 10, 2, 'resolved', 'high', 'billing', '2026-11-20 08:00+00', '2026-11-20 09:00+00', '2026-11-20 08:05+00',
     '2026-11-20 09:00+00', 0, '2026-11-20 10:00+00'),
    (2, 2, NULL, NULL, 'open', 'low', NULL, '2026-11-20 08:30+00', '2026-11-20 08:30+00', NULL, NULL, 0, NULL);
INSERT INTO app.feedback (id, user_id, conversation_id, rating, thumbs, nps, comment, created_at) VALUES
    (1, 1, 10, 5, 1, 10, 'Thank you, anna@example.com was a great help with invoice 4711', '2026-11-20 08:11+00');
INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, end_time, duration_ms, status, query,
                                  response, error_message, error_type, tool_count, retry_count, session_id, user_id,
                                  conversation_id, tokens_used, api_calls_count, environment) VALUES
    ('00000000-0000-0000-0000-000000000001', 1, 'helper', 'v2', '2026-11-20 08:00+00', '2026-11-20 08:00:02+00', 2000,
     'success', 'my secret question', 'the secret answer', NULL, NULL, 1, 0, '00000000-0000-0000-0000-0000000000aa', 1, 10, 92,
     1, 'production'),
    ('00000000-0000-0000-0000-000000000002', 1, 'helper', 'v2', '2026-11-20 09:00+00', '2026-11-20 09:00:04+00', 4000,
     'failure', 'another secret question', NULL, 'token of anna@example.com expired', 'auth', 0, 1, NULL, 2, 11, 7, 0,
     'production');
INSERT INTO app.session_metrics VALUES
    ('00000000-0000-0000-0000-0000000000aa', '2026-11-20 08:00+00', '2026-11-20 08:10+00', 600000, 1, 'Mozilla', '10.0.0.7',
     1, 1, 0, NULL, 1, 2000, 92, false, 'production');
INSERT INTO app.documents VALUES
    (1, 1, 'salary of anna.pdf', 'pdf', 'done', 2048, '2026-11-20 07:00+00', '2026-11-20 07:01+00', NULL);
"""

SECRETS = ("anna@example.com", "secret", "555-0100", "10.0.0.7", "salary", "Mozilla")
"""Pieces of what nobody may read."""


def create_contract(connection: psycopg.Connection[Any]) -> None:
    """Schema app with every table of the contract, keys, and a few rows."""
    connection.execute("CREATE SCHEMA app")
    for relation in RELATIONS.values():
        columns = [
            sql.SQL("{} {}{}").format(
                sql.Identifier(column.name), sql.SQL(sql_type(column)), sql.SQL("" if column.nullable else " NOT NULL")
            )
            for column in relation.columns
        ]
        key = sql.SQL("PRIMARY KEY ({})").format(sql.SQL(", ").join(sql.Identifier(name) for name in relation.key))
        connection.execute(
            sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier("app", relation.name), sql.SQL(", ").join([*columns, key]))
        )
    connection.execute(CONTRACT_ROWS)


SUPABASE = """
CREATE SCHEMA auth;
CREATE TABLE auth.users (
    id uuid PRIMARY KEY, email varchar(255), encrypted_password varchar(255), created_at timestamptz,
    last_sign_in_at timestamptz, raw_user_meta_data jsonb);
CREATE TABLE public.profiles (
    id uuid PRIMARY KEY REFERENCES auth.users, full_name text, role text, department text, updated_at timestamptz);
CREATE TABLE public.agent_conversations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid NOT NULL, agent_name text NOT NULL, title text,
    status text NOT NULL, metadata jsonb, created_at timestamptz NOT NULL DEFAULT now(), ended_at timestamptz);
CREATE TYPE public.run_status AS ENUM ('pending', 'running', 'completed', 'failed', 'timeout');
CREATE TABLE public.agent_executions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), agent_name varchar(80) NOT NULL, user_id uuid, conversation_id uuid,
    session_id uuid, status public.run_status NOT NULL, input text, output text, error_message text, tokens_used integer,
    duration_ms integer, started_at timestamptz NOT NULL DEFAULT now(), completed_at timestamptz);
CREATE TABLE public.agent_feedback (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid, conversation_id uuid, rating integer, comment text,
    created_at timestamptz NOT NULL DEFAULT now());
ALTER TABLE public.agent_executions ENABLE ROW LEVEL SECURITY;
"""

ANNA, BEN = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
TALK = "33333333-3333-3333-3333-333333333333"
SUPABASE_ROWS = f"""
INSERT INTO auth.users VALUES
    ('{ANNA}', 'anna@example.com', 'x', '2026-01-05 10:00+00', '2026-11-20 08:00+00', '{{}}'),
    ('{BEN}', 'ben@example.com', 'x', '2026-01-06 10:00+00', NULL, '{{}}');
INSERT INTO public.profiles VALUES ('{ANNA}', 'Anna', 'admin', 'Support', NULL), ('{BEN}', 'Ben', NULL, NULL, NULL);
INSERT INTO public.agent_conversations (id, user_id, agent_name, title, status, metadata, created_at, ended_at) VALUES
    ('{TALK}', '{ANNA}', 'helper', 'about my salary', 'ended', NULL, '2026-11-20 08:00+00', '2026-11-20 08:10+00');
INSERT INTO public.agent_executions (agent_name, user_id, conversation_id, status, input, output, tokens_used, duration_ms,
                                     started_at, completed_at) VALUES
    ('helper', '{ANNA}', '{TALK}', 'completed', 'secret', 'secret', 92, 2000, '2026-11-20 08:00+00', '2026-11-20 08:00:02+00'),
    ('writer', '{BEN}', NULL, 'failed', 'secret', NULL, NULL, 500, '2026-11-20 08:05+00', '2026-11-20 08:05:01+00'),
    ('helper', '{BEN}', NULL, 'running', 'secret', NULL, NULL, NULL, '2026-11-20 08:06+00', NULL);
INSERT INTO public.agent_feedback (user_id, conversation_id, rating, comment, created_at) VALUES
    ('{ANNA}', '{TALK}', 4, 'fine', '2026-11-20 08:11+00');
"""


def create_supabase(connection: psycopg.Connection[Any]) -> None:
    """Tables as a platform on Supabase has them, with a few rows. Schema auth is somebody else's there."""
    connection.execute(SUPABASE)
    connection.execute(SUPABASE_ROWS)
