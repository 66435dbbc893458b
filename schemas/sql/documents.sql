-- An ordinary table of documents, for a team that has no units and no governance: a plain UPDATE moves a document
-- from one status to the next.

CREATE TABLE public.documents (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  slug       text NOT NULL UNIQUE,
  title      text NOT NULL,
  body       text NOT NULL DEFAULT '',
  status     text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft','published','archived')),
  updated_at timestamptz NOT NULL DEFAULT now()
);
