{#
    One row per pair of hubs that was ever stated. `hubs` lists {hash_key, column}, the columns being of the
    `*_changes` source. A delete states no relation, whatever its row still holds.
#}
{% macro link(changes, hash_key, hubs) -%}
{%- set names = hubs | map(attribute='column') | list -%}
with stated as (
    select
        {{ hash_key_of(changes, names) }} as {{ hash_key }},
        {%- for hub in hubs %}
        {{ hash_key_of(changes, [hub.column]) }} as {{ hub.hash_key }},
        {%- endfor %}
        ingestion_timestamp,
        topic
    from {{ slice(changes) }}
    where not is_deleted and op <> 't'
        {%- for name in names %}
        and {{ name }} is not null
        {%- endfor %}
)

select
    {{ hash_key }},
    {%- for hub in hubs %}
    {{ hub.hash_key }},
    {%- endfor %}
    min(ingestion_timestamp) as load_datetime,
    min(topic) as record_source
from stated
group by {{ hash_key }}{% for hub in hubs %}, {{ hub.hash_key }}{% endfor %}
{%- endmacro %}
