{#
    One row per business key that any of `mentions` names, each {changes, column}: the entity's own changes, whose
    deletes have the key too, and those of other tables that refer to it, whose deletes refer to nothing.
    A truncate has no key. The first mention counts.
#}
{% macro hub(mentions, hash_key, business_key) -%}
with keyed as (
    {%- for mention in mentions %}
    select
        {{ hash_key_of(mention.changes, [mention.column]) }} as {{ hash_key }},
        {{ mention.column }} as {{ business_key }},
        ingestion_timestamp,
        topic
    from {{ slice(mention.changes) }}
    where
        {{ mention.column }} is not null
        {%- if mention.column != key_of(mention.changes) %}
        and not is_deleted
        {%- endif %}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

ranked as (
    select
        *,
        row_number() over (partition by {{ hash_key }} order by ingestion_timestamp, topic) as mention_number
    from keyed
)

select
    {{ hash_key }},
    {{ business_key }},
    ingestion_timestamp as load_datetime,
    topic as record_source
from ranked
where mention_number = 1
{%- endmacro %}
