//! The documents of the benches, and the plan that they are promoted and indexed by.

/// Promotes and indexes all of them.
pub const PLAN: &str = r#"enact: v1
plan: scale
units:
  drafts: { where: { lifecycle: draft } }
promotions:
  all:
    units: drafts
    to: published
    review: { decision: approve, reviewer: editors, rationale: "a measurement", at: "2026-01-01T00:00:00Z" }
chunk_policies:
  whole: { splitter: text, max_chars: 800, overlap_chars: 80, empty_body: title }
vector_sets:
  texts:
    units: { lifecycle: published }
    chunk_policy: whole
    vectors:
      dense: { embedder: default, distance: cosine }
      text: { sparse: bm25, language: english }
    payload: [slug, title, chunk_index, text]
    payload_indexes: { slug: keyword }
"#;

/// One statement that makes every document: eight sentences, each of four parts picked by a hash of document and place.
pub const ROWS: &str = r#"
INSERT INTO public.documents (id, slug, title, body, status, updated_at)
SELECT md5('document ' || unit)::uuid, 'text/' || lpad(unit::text, 6, '0'),
       'Text ' || unit, string_agg(sentence, CASE WHEN place = 4 THEN E'\n\n' ELSE ' ' END ORDER BY place),
       'draft', '2026-01-01T00:00:00Z'
FROM (
  SELECT unit, place,
    (ARRAY['The archive','A steward','Every team','The night crew','Our oldest map','One borrowed key','The harbour office',
           'A second reader','The river gauge','Nobody on call','The new register','A careful editor'])[part(unit, place, 1)]
    || ' ' ||
    (ARRAY['keeps','measures','returns','describes','postpones','checks','translates','forgets','repairs','collects',
           'compares','announces'])[part(unit, place, 2)]
    || ' ' ||
    (ARRAY['the level of the water','a list of open questions','the spare batteries','three letters from the council',
           'the times of the ferry','an agreement about noise','the price of paper','the names of the donors',
           'a drawing of the bridge','the results of the survey','the rules for visitors','a box of old receipts'])[part(unit, place, 3)]
    || ' ' ||
    (ARRAY['before the first frost','while the mill is closed','without being asked','on the last Friday','in plain words',
           'for two years at most','after a short vote','at the expense of the house','as the charter wants it',
           'whenever somebody is ill','and signs with a pencil','until the count is right'])[part(unit, place, 4)]
    || '.' AS sentence
  FROM generate_series(1, {units}) AS unit, generate_series(1, 8) AS place
) AS sentences
GROUP BY unit"#;

/// The function that picks parts of sentences.
pub const PART: &str = "CREATE FUNCTION public.part(unit int, place int, slot int) RETURNS int LANGUAGE sql IMMUTABLE AS \
    $$ SELECT 1 + ((hashint8extended(unit * 32 + place * 4 + slot, 7) & 1048575) % 12)::int $$";
