{#
    Which link holds since when, per driving key: the source's own key, whose row names the other one. Each change
    states its link; a delete or truncate names none and closes whichever there was, because only its key is true.
#}
{% macro effectivity(changes, link_key, hash_key, hubs) -%}
{%- set names = hubs | map(attribute='column') | list -%}
with {{ states(changes, hash_key) }},

linked as (
    select
        *,
        not is_deleted
        {%- for name in names %}
        and {{ name }} is not null
        {%- endfor %} as is_linked
    from states
)

select
    case when is_linked then {{ hash_key_of(changes, names) }} end as {{ link_key }},
    {{ hash_key }},
    change_position,
    change_time as effective_from,
    is_linked as is_active,
    ingestion_timestamp as load_datetime,
    topic as record_source
from linked
{%- endmacro %}
