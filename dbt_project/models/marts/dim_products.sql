with products as (
    select * from {{ source('silver', 'retail_products') }}
),

final as (
    select
        product_id,
        product_name,
        category,
        {{ amount('price') }} as price,
        {{ amount('cost') }} as cost,  -- noqa: RF04
        case
            when price = 0 then cast(0 as double)
            else cast(price - cost as double) / cast(price as double)
        end as margin_rate
    from products
)

select * from final
