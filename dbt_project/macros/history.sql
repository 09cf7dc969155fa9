{#
    What held from when to when: equal neighbours of a satellite collapsed, ended by the next state. The keys whose
    satellite rows are new are made again whole, so that a late change between two others dates both anew.
#}
{% macro history(satellite, changes, hash_key) -%}
{%- set payload = columns_of(changes, 'payload') | map(attribute='name') | list -%}
{%- set columns = [
    hash_key, 'change_position', 'hashdiff', 'is_deleted', 'effective_from', 'load_datetime', 'record_source'
] + payload -%}
with touched as (
    select {{ hash_key }} from {{ slice(satellite) }}
),

stated as (
    select
        {{ columns | join(',\n        ') }}
    from {{ satellite }}
    where {{ hash_key }} in (select {{ hash_key }} from touched)
),

compared as (
    select
        *,
        lag(hashdiff) over (partition by {{ hash_key }} order by change_position) as earlier_hashdiff
    from stated
),

starts as (
    select * from compared
    where earlier_hashdiff is null or earlier_hashdiff <> hashdiff
)

select
    {{ columns | join(',\n    ') }},
    effective_from as valid_from,
    lead(effective_from) over (partition by {{ hash_key }} order by change_position) as valid_to
from starts
{%- endmacro %}
